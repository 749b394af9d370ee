// Layer normalisation (Ba, Kiros and Hinton, 2016, arXiv 1607.06450) over rows of `n` numbers.
#pragma once

#include "kernels/types.h"

namespace crocuta::kernels {

// y = (x - mean) rstd weight + bias with rstd = 1 / sqrt(variance + eps), row by row. x and y
// [rows, n], weight and bias [n]; mean and rstd [rows] are kept for the backward pass.
template <class Device, class T>
void layer_norm_forward(std::int64_t rows, std::int64_t n, double eps, const T* x, const T* weight,
                        const T* bias, T* y, accumulator_t<T>* mean, accumulator_t<T>* rstd,
                        Stream stream);

// Rows are taken in slices of this many; each slice sums dweight and dbias for itself.
inline constexpr std::int64_t kLayerNormSlice = 128;
// Bytes of `workspace` for layer_norm_backward.
template <class T>
std::int64_t layer_norm_backward_workspace_bytes(std::int64_t rows, std::int64_t n) {
  const std::int64_t slices = (rows + kLayerNormSlice - 1) / kLayerNormSlice;
  return slices * 2 * n * static_cast<std::int64_t>(sizeof(accumulator_t<T>));
}

// With h = (x - mean) rstd and g = dy weight:
//   dx = rstd (g - mean(g) - h mean(g h)),  dweight = sum over rows of dy h,  dbias = of dy.
template <class Device, class T>
void layer_norm_backward(std::int64_t rows, std::int64_t n, const T* x, const T* weight,
                         const accumulator_t<T>* mean, const accumulator_t<T>* rstd, const T* dy,
                         T* dx, T* dweight, T* dbias, void* workspace, Stream stream);

}  // namespace crocuta::kernels
