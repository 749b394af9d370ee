#include "kernels/cross_entropy.h"

#include "kernels/cuda/toolbox/log_sum_exp.h"
#include "kernels/cuda/toolbox/sum.h"

namespace crocuta::kernels {
namespace {

template <class Plan, class T, class A = accumulator_t<T>>
__global__ void __launch_bounds__(Plan::kThreads)
    cross_entropy_forward_kernel(std::int64_t rows, std::int64_t n, std::int64_t ignored,
                                 const T* x, const std::int64_t* targets, A* loss, A* max,
                                 A* log_sum, bool aligned) {
  for_each_row(rows, [&](std::int64_t index, bool here) {
    const std::int64_t target = here ? targets[index] : ignored;
    const bool counted = target != ignored;
    const Row<Plan> row(counted ? n : 0, aligned);
    const LogSumExp<A> total = log_sum_exp<A>(row, row.hold(x + index * n));
    if (!here || threadIdx.x != 0) return;
    const A log_of_sum = math::log(total.sum);
    max[index] = counted ? total.max : A(0);
    log_sum[index] = counted ? log_of_sum : A(0);
    loss[index] = counted ? (total.max - static_cast<A>(x[index * n + target])) + log_of_sum : A(0);
  });
}

template <class Plan, class T, class A = accumulator_t<T>>
__global__ void __launch_bounds__(Plan::kThreads)
    cross_entropy_backward_kernel(std::int64_t rows, std::int64_t n, std::int64_t ignored,
                                  double scale, const T* x, const std::int64_t* targets,
                                  const A* max, const A* log_sum, const A* dy, T* dx,
                                  bool aligned) {
  const A factor = static_cast<A>(static_cast<double>(*dy) * scale);
  for_each_row(rows, [&](std::int64_t index, bool here) {
    if (!here) return;
    const std::int64_t target = targets[index];
    const Row<Plan> row(n, aligned);
    if (target == ignored) {
      row.write(
          dx + index * n, [](std::int64_t) { return A(0); }, Position{});
      return;
    }
    const A largest = max[index], log_of_sum = log_sum[index];
    row.write(
        dx + index * n,
        [=](T value, std::int64_t i) {
          const A probability = math::exp(static_cast<A>(value) - largest - log_of_sum);
          return factor * (i == target ? probability - 1 : probability);
        },
        row.hold(x + index * n), Position{});
  });
}

template <class A>
struct WriteScaled {
  double scale;
  A* result;

  __device__ void operator()(std::int64_t, double total) const {
    *result = static_cast<A>(scale * total);
  }
};

}  // namespace

template <class Device, class T>
void cross_entropy_forward(std::int64_t rows, std::int64_t n, std::int64_t ignored, const T* x,
                           const std::int64_t* targets, accumulator_t<T>* loss,
                           accumulator_t<T>* max, accumulator_t<T>* log_sum, Stream stream) {
  const bool aligned = vectors_aligned(x);
  plan_rows<T>(rows, n, [&](auto plan, const LaunchConfig& config) {
    launch("cross_entropy", cross_entropy_forward_kernel<decltype(plan), T>, config, stream, rows,
           n, ignored, x, targets, loss, max, log_sum, aligned);
  });
}

template <class Device, class T>
void cross_entropy_backward(std::int64_t rows, std::int64_t n, std::int64_t ignored, double scale,
                            const T* x, const std::int64_t* targets, const accumulator_t<T>* max,
                            const accumulator_t<T>* log_sum, const accumulator_t<T>* dy, T* dx,
                            Stream stream) {
  const bool aligned = vectors_aligned(x, dx);
  plan_rows<T>(rows, n, [&](auto plan, const LaunchConfig& config) {
    launch("cross_entropy_backward", cross_entropy_backward_kernel<decltype(plan), T>, config,
           stream, rows, n, ignored, scale, x, targets, max, log_sum, dy, dx, aligned);
  });
}

template <class Device, class A>
void scaled_sum(std::int64_t n, double scale, const A* x, A* result, void* workspace,
                Stream stream) {
  plan_array_sum<A, A, Identity>(1, n, 1, x, [&](const auto& load, const SumPlan& plan) {
    launch_sum("scaled_sum", plan, load, WriteScaled<A>{scale, result}, workspace, stream);
  });
}
template <class Device, class A>
std::size_t scaled_sum_workspace_bytes(std::int64_t n) {
  return array_sum_bytes<A, A, Identity>(1, n, 1);
}

#define CROCUTA_INSTANTIATE(T)                                                                     \
  template void cross_entropy_forward<Cuda, T>(std::int64_t, std::int64_t, std::int64_t, const T*, \
                                               const std::int64_t*, accumulator_t<T>*,             \
                                               accumulator_t<T>*, accumulator_t<T>*, Stream);      \
  template void cross_entropy_backward<Cuda, T>(                                                   \
      std::int64_t, std::int64_t, std::int64_t, double, const T*, const std::int64_t*,             \
      const accumulator_t<T>*, const accumulator_t<T>*, const accumulator_t<T>*, T*, Stream);
CROCUTA_INSTANTIATE(float)
CROCUTA_INSTANTIATE(double)
CROCUTA_INSTANTIATE(bfloat16)
CROCUTA_INSTANTIATE(float16)
#undef CROCUTA_INSTANTIATE
#define CROCUTA_INSTANTIATE(A)                                                          \
  template void scaled_sum<Cuda, A>(std::int64_t, double, const A*, A*, void*, Stream); \
  template std::size_t scaled_sum_workspace_bytes<Cuda, A>(std::int64_t);
CROCUTA_INSTANTIATE(float)
CROCUTA_INSTANTIATE(double)
#undef CROCUTA_INSTANTIATE

}  // namespace crocuta::kernels
