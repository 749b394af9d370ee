// Sums.
#pragma once

#include <cstddef>

#include "kernels/types.h"

namespace crocuta::kernels {

// y[o, i] = sum over j of x[o, j, i]. x [outer, n, inner], y [outer, inner], row-major. The order
// of summation is fixed by the sizes. `workspace` is aligned to 64.
template <class Device, class T>
void sum(std::int64_t outer, std::int64_t n, std::int64_t inner, const T* x, T* y, void* workspace,
         Stream stream);
// Bytes of scratch memory that it needs.
template <class Device, class T>
std::size_t sum_workspace_bytes(std::int64_t outer, std::int64_t n, std::int64_t inner);

// *y = sum over i of x[i]^2, in double. x [n]
template <class Device, class T>
void sum_of_squares(std::int64_t n, const T* x, double* y, void* workspace, Stream stream);
template <class Device, class T>
std::size_t sum_of_squares_workspace_bytes(std::int64_t n);

}  // namespace crocuta::kernels
