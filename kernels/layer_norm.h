// Layer normalisation (Ba, Kiros and Hinton, 2016, arXiv 1607.06450) over rows of `n` numbers.
#pragma once

#include <cmath>
#include <cstddef>

#include "kernels/types.h"

namespace crocuta::kernels {

// What a row is normalised by: h = (x scale - mean) rstd. `scale` is 1, or the power of two that
// keeps squares of the row within A's range where they would overflow or vanish.
template <class A>
struct RowMoments {
  A scale;
  A mean;  // of x scale
  A rstd;  // 1 / sqrt(variance + eps), of x scale, eps being scaled too
};

// y = h weight + bias, row by row. x and y [rows, n], weight and bias [n]; moments [rows] are kept
// for the backward pass.
template <class Device, class T>
void layer_norm_forward(std::int64_t rows, std::int64_t n, double eps, const T* x, const T* weight,
                        const T* bias, T* y, RowMoments<accumulator_t<T>>* moments, Stream stream);

// With g = dy weight:
//   dx = rstd (g - mean(g) - h mean(g h)) scale,  dweight = sum over rows of dy h,  dbias = of dy.
// `workspace` is aligned to 64.
template <class Device, class T>
void layer_norm_backward(std::int64_t rows, std::int64_t n, const T* x, const T* weight,
                         const RowMoments<accumulator_t<T>>* moments, const T* dy, T* dx,
                         T* dweight, T* dbias, void* workspace, Stream stream);
// Bytes of scratch memory that it needs.
template <class Device, class T>
std::size_t layer_norm_backward_workspace_bytes(std::int64_t rows, std::int64_t n);

// ---- what both devices decide by ----
// Whether variance + eps, taken without a scale, is right: no square overflowed, and those that
// fell below A's range, by at most its smallest number each, do not matter.
template <class A>
CROCUTA_HOST_DEVICE bool in_range(double variance_eps) {
  return variance_eps >= (sizeof(A) == 4 ? 0x1p-100 : 0x1p-900) && variance_eps < HUGE_VAL;
}
// The scale that brings the larger of a row's largest magnitude and sqrt(eps) near 1.
template <class A>
CROCUTA_HOST_DEVICE A scale_for(A magnitude, double eps) {
  const double root = std::sqrt(eps), size = magnitude > root ? magnitude : root;
  if (!(size > 0 && size < HUGE_VAL)) return 1;
  const int most = sizeof(A) == 4 ? 126 : 1022;  // 2^-most is no subnormal number
  const int exponent = std::ilogb(size);
  return std::ldexp(A(1), exponent < -most ? most : exponent > most ? -most : -exponent);
}

}  // namespace crocuta::kernels
