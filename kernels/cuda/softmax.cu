#include "kernels/softmax.h"

#include "kernels/cuda/toolbox/log_sum_exp.h"

namespace crocuta::kernels {
namespace {

template <class Plan, class T>
__global__ void __launch_bounds__(Plan::kThreads)
    softmax_forward_kernel(std::int64_t rows, std::int64_t n, const T* x, T* y, bool aligned) {
  using A = accumulator_t<T>;
  for_each_row(rows, [&](std::int64_t index, bool here) {
    const Row<Plan> row(here ? n : 0, aligned);
    const auto in = row.hold(x + index * n);
    const LogSumExp<A> total = log_sum_exp<A>(row, in);
    const A max = total.max, scale = 1 / total.sum;
    row.write(
        y + index * n, [=](T value) { return math::exp(static_cast<A>(value) - max) * scale; }, in);
  });
}

template <class Plan, class T>
__global__ void __launch_bounds__(Plan::kThreads)
    softmax_backward_kernel(std::int64_t rows, std::int64_t n, const T* y, const T* dy, T* dx,
                            bool aligned) {
  using A = accumulator_t<T>;
  for_each_row(rows, [&](std::int64_t index, bool here) {
    const Row<Plan> row(here ? n : 0, aligned);
    const auto out = row.hold(y + index * n);
    const auto grad = row.hold(dy + index * n);
    const A dot = static_cast<A>(row.template sum<A>(
        [](T p, T g) { return static_cast<A>(p) * static_cast<A>(g); }, out, grad));
    row.write(
        dx + index * n, [=](T p, T g) { return static_cast<A>(p) * (static_cast<A>(g) - dot); },
        out, grad);
  });
}

template <class Plan, class T>
__global__ void __launch_bounds__(Plan::kThreads)
    log_softmax_forward_kernel(std::int64_t rows, std::int64_t n, const T* x, T* y, bool aligned) {
  using A = accumulator_t<T>;
  for_each_row(rows, [&](std::int64_t index, bool here) {
    const Row<Plan> row(here ? n : 0, aligned);
    const auto in = row.hold(x + index * n);
    const LogSumExp<A> total = log_sum_exp<A>(row, in);
    const A max = total.max, log_sum = math::log(total.sum);
    row.write(
        y + index * n, [=](T value) { return static_cast<A>(value) - max - log_sum; }, in);
  });
}

template <class Plan, class T>
__global__ void __launch_bounds__(Plan::kThreads)
    log_softmax_backward_kernel(std::int64_t rows, std::int64_t n, const T* y, const T* dy, T* dx,
                                bool aligned) {
  using A = accumulator_t<T>;
  for_each_row(rows, [&](std::int64_t index, bool here) {
    const Row<Plan> row(here ? n : 0, aligned);
    const auto out = row.hold(y + index * n);
    const auto grad = row.hold(dy + index * n);
    const A sum = static_cast<A>(row.template sum<A>([](T g) { return static_cast<A>(g); }, grad));
    row.write(
        dx + index * n,
        [=](T p, T g) { return static_cast<A>(g) - math::exp(static_cast<A>(p)) * sum; }, out,
        grad);
  });
}

}  // namespace

template <class Device, class T>
void softmax_forward(std::int64_t rows, std::int64_t n, const T* x, T* y, Stream stream) {
  const bool aligned = vectors_aligned(x, y);
  plan_rows<T>(rows, n, [&](auto plan, const LaunchConfig& config) {
    launch("softmax", softmax_forward_kernel<decltype(plan), T>, config, stream, rows, n, x, y,
           aligned);
  });
}

template <class Device, class T>
void softmax_backward(std::int64_t rows, std::int64_t n, const T* y, const T* dy, T* dx,
                      Stream stream) {
  const bool aligned = vectors_aligned(y, dy, dx);
  plan_rows<T>(rows, n, [&](auto plan, const LaunchConfig& config) {
    launch("softmax_backward", softmax_backward_kernel<decltype(plan), T>, config, stream, rows, n,
           y, dy, dx, aligned);
  });
}

template <class Device, class T>
void log_softmax_forward(std::int64_t rows, std::int64_t n, const T* x, T* y, Stream stream) {
  const bool aligned = vectors_aligned(x, y);
  plan_rows<T>(rows, n, [&](auto plan, const LaunchConfig& config) {
    launch("log_softmax", log_softmax_forward_kernel<decltype(plan), T>, config, stream, rows, n, x,
           y, aligned);
  });
}

template <class Device, class T>
void log_softmax_backward(std::int64_t rows, std::int64_t n, const T* y, const T* dy, T* dx,
                          Stream stream) {
  const bool aligned = vectors_aligned(y, dy, dx);
  plan_rows<T>(rows, n, [&](auto plan, const LaunchConfig& config) {
    launch("log_softmax_backward", log_softmax_backward_kernel<decltype(plan), T>, config, stream,
           rows, n, y, dy, dx, aligned);
  });
}

#define CROCUTA_INSTANTIATE(T)                                                                    \
  template void softmax_forward<Cuda, T>(std::int64_t, std::int64_t, const T*, T*, Stream);       \
  template void softmax_backward<Cuda, T>(std::int64_t, std::int64_t, const T*, const T*, T*,     \
                                          Stream);                                                \
  template void log_softmax_forward<Cuda, T>(std::int64_t, std::int64_t, const T*, T*, Stream);   \
  template void log_softmax_backward<Cuda, T>(std::int64_t, std::int64_t, const T*, const T*, T*, \
                                              Stream);
CROCUTA_INSTANTIATE(float)
CROCUTA_INSTANTIATE(double)
CROCUTA_INSTANTIATE(bfloat16)
CROCUTA_INSTANTIATE(float16)
#undef CROCUTA_INSTANTIATE

}  // namespace crocuta::kernels
