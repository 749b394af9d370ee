// Layer normalisation (Ba, Kiros and Hinton, 2016, arXiv 1607.06450) over rows of `n` numbers.
#pragma once

#include <cstddef>

#include "kernels/types.h"

namespace crocuta::kernels {

// y = (x - mean) rstd weight + bias with rstd = 1 / sqrt(variance + eps), row by row. x and y
// [rows, n], weight and bias [n]; mean and rstd [rows] are kept for the backward pass.
template <class Device, class T>
void layer_norm_forward(std::int64_t rows, std::int64_t n, double eps, const T* x, const T* weight,
                        const T* bias, T* y, accumulator_t<T>* mean, accumulator_t<T>* rstd,
                        Stream stream);

// With h = (x - mean) rstd and g = dy weight:
//   dx = rstd (g - mean(g) - h mean(g h)),  dweight = sum over rows of dy h,  dbias = of dy.
// `workspace` is aligned to 64.
template <class Device, class T>
void layer_norm_backward(std::int64_t rows, std::int64_t n, const T* x, const T* weight,
                         const accumulator_t<T>* mean, const accumulator_t<T>* rstd, const T* dy,
                         T* dx, T* dweight, T* dbias, void* workspace, Stream stream);
// Bytes of scratch memory that it needs.
template <class Device, class T>
std::size_t layer_norm_backward_workspace_bytes(std::int64_t rows, std::int64_t n);

}  // namespace crocuta::kernels
