#include "kernels/parts.h"

#include "kernels/cuda/toolbox/launch.h"

namespace crocuta::kernels {
namespace {

template <class T, class Op>
__global__ void reduce_parts_kernel(int parts, std::int64_t count, const T* x, T* y, Op op) {
  using Accumulator = accumulator_t<T>;
  for (std::int64_t i = grid_index(); i < count; i += grid_stride()) {
    Accumulator acc = static_cast<Accumulator>(x[i]);
    for (int p = 1; p < parts; ++p) acc = op(acc, static_cast<Accumulator>(x[p * count + i]));
    y[i] = static_cast<T>(acc);
  }
}

}  // namespace

template <class Device, class T>
void sum_parts(int parts, std::int64_t count, const T* x, T* y, Stream stream) {
  launch("sum_parts", reduce_parts_kernel<T, SumOfParts>, grid_for(count), stream, parts, count, x,
         y, SumOfParts{});
}
template <class Device, class T>
void max_parts(int parts, std::int64_t count, const T* x, T* y, Stream stream) {
  launch("max_parts", reduce_parts_kernel<T, MaxOfParts>, grid_for(count), stream, parts, count, x,
         y, MaxOfParts{});
}

#define CROCUTA_INSTANTIATE(T)                                               \
  template void sum_parts<Cuda, T>(int, std::int64_t, const T*, T*, Stream); \
  template void max_parts<Cuda, T>(int, std::int64_t, const T*, T*, Stream);
CROCUTA_INSTANTIATE(float)
CROCUTA_INSTANTIATE(double)
CROCUTA_INSTANTIATE(bfloat16)
CROCUTA_INSTANTIATE(float16)
CROCUTA_INSTANTIATE(std::int64_t)
CROCUTA_INSTANTIATE(std::int32_t)
#undef CROCUTA_INSTANTIATE

}  // namespace crocuta::kernels
