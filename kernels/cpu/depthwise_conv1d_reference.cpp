// The formulas of kernels/depthwise_conv1d.h, to be read beside them.
#include <algorithm>

#include "kernels/depthwise_conv1d.h"

namespace crocuta::kernels {
namespace {

template <class T>
double value(T x) {
  return static_cast<double>(static_cast<accumulator_t<T>>(x));
}
template <class T>
T rounded(double x) {
  return static_cast<T>(static_cast<accumulator_t<T>>(x));
}

}  // namespace

template <class T>
void depthwise_conv1d_reference_forward(const DepthwiseConv1dShape& shape, const T* x,
                                        const T* weight, const T* bias, T* y) {
  const std::int64_t L = shape.length, K = shape.kernel_size;
  for (std::int64_t row = 0; row < shape.batch * shape.channels; ++row) {
    const std::int64_t g = shape.group(row % shape.channels);
    for (std::int64_t t = 0; t < L; ++t) {
      double sum = 0;
      for (std::int64_t k = 0; k < K; ++k) {
        const std::int64_t s = t + k - shape.left_padding;
        if (s >= 0 && s < L) sum += value(weight[g * K + k]) * value(x[row * L + s]);
      }
      y[row * L + t] = rounded<T>(bias ? sum + value(bias[g]) : sum);
    }
  }
}

template <class T>
void depthwise_conv1d_reference_backward(const DepthwiseConv1dShape& shape, const T* x,
                                         const T* weight, const T* dy, T* dx, T* dweight,
                                         T* dbias) {
  const std::int64_t L = shape.length, K = shape.kernel_size;
  const std::int64_t rows = shape.batch * shape.channels;
  for (std::int64_t row = 0; dx && row < rows; ++row) {
    const std::int64_t g = shape.group(row % shape.channels);
    for (std::int64_t s = 0; s < L; ++s) {
      double sum = 0;
      for (std::int64_t k = 0; k < K; ++k) {
        const std::int64_t t = s - k + shape.left_padding;
        if (t >= 0 && t < L) sum += value(weight[g * K + k]) * value(dy[row * L + t]);
      }
      dx[row * L + s] = rounded<T>(sum);
    }
  }
  for (std::int64_t g = 0; g < shape.groups; ++g) {
    for (std::int64_t k = 0; dweight && k < K; ++k) {
      double sum = 0;
      for (std::int64_t row = 0; row < rows; ++row) {
        if (shape.group(row % shape.channels) != g) continue;
        for (std::int64_t t = 0; t < L; ++t) {
          const std::int64_t s = t + k - shape.left_padding;
          if (s >= 0 && s < L) sum += value(dy[row * L + t]) * value(x[row * L + s]);
        }
      }
      dweight[g * K + k] = rounded<T>(sum);
    }
    if (!dbias) continue;
    double sum = 0;
    for (std::int64_t row = 0; row < rows; ++row) {
      if (shape.group(row % shape.channels) != g) continue;
      for (std::int64_t t = 0; t < L; ++t) sum += value(dy[row * L + t]);
    }
    dbias[g] = rounded<T>(sum);
  }
}

#define CROCUTA_INSTANTIATE(T)                                                                \
  template void depthwise_conv1d_reference_forward<T>(const DepthwiseConv1dShape&, const T*,  \
                                                      const T*, const T*, T*);                \
  template void depthwise_conv1d_reference_backward<T>(const DepthwiseConv1dShape&, const T*, \
                                                       const T*, const T*, T*, T*, T*);
CROCUTA_INSTANTIATE(float)
CROCUTA_INSTANTIATE(double)
CROCUTA_INSTANTIATE(bfloat16)
CROCUTA_INSTANTIATE(float16)
#undef CROCUTA_INSTANTIATE

}  // namespace crocuta::kernels
