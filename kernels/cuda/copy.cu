#include "kernels/copy.h"

#include "kernels/cuda/launch.h"

namespace crocuta::kernels {
namespace {

template <class T>
__global__ void fill_kernel(std::int64_t n, T value, T* y) {
  for (std::int64_t i = grid_index(); i < n; i += grid_stride()) y[i] = value;
}

template <class T>
__global__ void iota_kernel(std::int64_t n, T first, T* y) {
  using Number = accumulator_t<T>;
  for (std::int64_t i = grid_index(); i < n; i += grid_stride()) {
    y[i] = T(static_cast<Number>(first) + static_cast<Number>(i));
  }
}

template <class To, class From>
__global__ void copy_kernel(StridedShape<2> shape, To* y, const From* x) {
  for (std::int64_t i = grid_index(); i < shape.numel; i += grid_stride()) {
    std::int64_t rest = i, y_offset = 0, x_offset = 0;
    for (int d = shape.dims - 1; d >= 0; --d) {
      const std::int64_t position = rest % shape.size[d];
      y_offset += position * shape.stride[0][d];
      x_offset += position * shape.stride[1][d];
      rest /= shape.size[d];
    }
    y[y_offset] = convert<To>(x[x_offset]);
  }
}

}  // namespace

template <class Device, class T>
void fill(std::int64_t n, T value, T* y, Stream stream) {
  launch("fill", fill_kernel<T>, grid_for(n), stream, n, value, y);
}

template <class Device, class T>
void iota(std::int64_t n, T first, T* y, Stream stream) {
  launch("iota", iota_kernel<T>, grid_for(n), stream, n, first, y);
}

template <class Device, class To, class From>
void copy(const StridedShape<2>& shape, To* y, const From* x, Stream stream) {
  launch("copy", copy_kernel<To, From>, grid_for(shape.numel), stream, shape, y, x);
}

#define CROCUTA_INSTANTIATE_COPY(To, From) \
  template void copy<Cuda, To, From>(const StridedShape<2>&, To*, const From*, Stream);
#define CROCUTA_INSTANTIATE(T)                              \
  template void fill<Cuda, T>(std::int64_t, T, T*, Stream); \
  template void iota<Cuda, T>(std::int64_t, T, T*, Stream); \
  CROCUTA_INSTANTIATE_COPY(T, float)                        \
  CROCUTA_INSTANTIATE_COPY(T, double)                       \
  CROCUTA_INSTANTIATE_COPY(T, bfloat16)                     \
  CROCUTA_INSTANTIATE_COPY(T, float16)                      \
  CROCUTA_INSTANTIATE_COPY(T, std::int64_t)                 \
  CROCUTA_INSTANTIATE_COPY(T, std::int32_t)
CROCUTA_INSTANTIATE(float)
CROCUTA_INSTANTIATE(double)
CROCUTA_INSTANTIATE(bfloat16)
CROCUTA_INSTANTIATE(float16)
CROCUTA_INSTANTIATE(std::int64_t)
CROCUTA_INSTANTIATE(std::int32_t)
#undef CROCUTA_INSTANTIATE
#undef CROCUTA_INSTANTIATE_COPY

}  // namespace crocuta::kernels
