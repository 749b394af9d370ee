#include "kernels/reduce.h"

#include "kernels/cuda/toolbox/sum.h"

namespace crocuta::kernels {
namespace {

struct Square {
  __device__ double operator()(double x) const { return x * x; }
};

template <class T, class A>
struct WriteRounded {
  T* y;

  __device__ void operator()(std::int64_t i, total_t<A> total) const {
    y[i] = T(static_cast<A>(total));
  }
};
}  // namespace

template <class Device, class T>
void sum(std::int64_t outer, std::int64_t n, std::int64_t inner, const T* x, T* y, void* workspace,
         Stream stream) {
  using A = accumulator_t<T>;
  plan_array_sum<T, A, Identity>(outer, n, inner, x, [&](const auto& load, const SumPlan& plan) {
    launch_sum("sum", plan, load, WriteRounded<T, A>{y}, workspace, stream);
  });
}
template <class Device, class T>
std::size_t sum_workspace_bytes(std::int64_t outer, std::int64_t n, std::int64_t inner) {
  return array_sum_bytes<T, accumulator_t<T>, Identity>(outer, n, inner);
}

template <class Device, class T>
void sum_of_squares(std::int64_t n, const T* x, double* y, void* workspace, Stream stream) {
  plan_array_sum<T, double, Square>(1, n, 1, x, [&](const auto& load, const SumPlan& plan) {
    launch_sum("sum_of_squares", plan, load, WriteTotal<double>{y}, workspace, stream);
  });
}
template <class Device, class T>
std::size_t sum_of_squares_workspace_bytes(std::int64_t n) {
  return array_sum_bytes<T, double, Square>(1, n, 1);
}
#define CROCUTA_INSTANTIATE(T)                                                              \
  template void sum<Cuda, T>(std::int64_t, std::int64_t, std::int64_t, const T*, T*, void*, \
                             Stream);                                                       \
  template std::size_t sum_workspace_bytes<Cuda, T>(std::int64_t, std::int64_t, std::int64_t);
CROCUTA_INSTANTIATE(float)
CROCUTA_INSTANTIATE(double)
CROCUTA_INSTANTIATE(bfloat16)
CROCUTA_INSTANTIATE(float16)
CROCUTA_INSTANTIATE(std::int64_t)
#undef CROCUTA_INSTANTIATE
#define CROCUTA_INSTANTIATE(T)                                                           \
  template void sum_of_squares<Cuda, T>(std::int64_t, const T*, double*, void*, Stream); \
  template std::size_t sum_of_squares_workspace_bytes<Cuda, T>(std::int64_t);
CROCUTA_INSTANTIATE(float)
CROCUTA_INSTANTIATE(double)
CROCUTA_INSTANTIATE(bfloat16)
CROCUTA_INSTANTIATE(float16)
#undef CROCUTA_INSTANTIATE

}  // namespace crocuta::kernels
