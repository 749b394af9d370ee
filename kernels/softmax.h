// Softmax and its logarithm over rows of `n` numbers that lie next to each other.
#pragma once

#include "kernels/types.h"

namespace crocuta::kernels {

// y = exp(x - max x) / sum exp(x - max x), row by row. x and y [rows, n].
template <class Device, class T>
void softmax_forward(std::int64_t rows, std::int64_t n, const T* x, T* y, Stream stream);
// dx = y (dy - sum y dy)
template <class Device, class T>
void softmax_backward(std::int64_t rows, std::int64_t n, const T* y, const T* dy, T* dx,
                      Stream stream);

// y = x - max x - log sum exp(x - max x)
template <class Device, class T>
void log_softmax_forward(std::int64_t rows, std::int64_t n, const T* x, T* y, Stream stream);
// dx = dy - exp(y) sum dy
template <class Device, class T>
void log_softmax_backward(std::int64_t rows, std::int64_t n, const T* y, const T* dy, T* dx,
                          Stream stream);

}  // namespace crocuta::kernels
