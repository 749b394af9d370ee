// The largest number of each row, and where it is.
#pragma once

#include "kernels/types.h"

namespace crocuta::kernels {

// values[row] is the largest of x[row, :], where NaN counts as larger than any number; indices[row]
// is the first place it stands at. x [rows, n], n >= 1.
template <class Device, class T>
void max_forward(std::int64_t rows, std::int64_t n, const T* x, T* values, std::int64_t* indices,
                 Stream stream);
// dx[row, i] = dy[row] where i == indices[row], else 0.
template <class Device, class T>
void max_backward(std::int64_t rows, std::int64_t n, const std::int64_t* indices, const T* dy,
                  T* dx, Stream stream);

}  // namespace crocuta::kernels
