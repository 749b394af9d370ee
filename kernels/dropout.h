// Dropout (Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting",
// JMLR 2014). The mask is never stored: it is a function of the random key and the position.
#pragma once

#include "kernels/types.h"

namespace crocuta::kernels {

// Where x [outer, rows, inner] lies in the tensor [outer, global_rows, inner] it is a part of: row
// r is row positions[r] of it, or first_row + r without positions (device memory, [rows]).
struct DropoutRows {
  std::int64_t outer = 1, rows = 1, inner = 1;
  std::int64_t global_rows = 1;
  std::int64_t first_row = 0;
  const std::int64_t* positions = nullptr;
};

// y = x * scale where number i of the random stream, i the element's index in the global tensor, is
// at least `threshold` (of 2^32), else 0. y may be x.
template <class Device, class T>
void dropout(const DropoutRows& rows, std::uint64_t seed, std::uint64_t stream,
             std::uint64_t threshold, double scale, const T* x, T* y, Stream queue);

}  // namespace crocuta::kernels
