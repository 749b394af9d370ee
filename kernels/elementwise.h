// Element-by-element kernels. A function is a functor on the accumulator type, defined once here
// for every device; the kernels that apply it are declared below and instantiated per device from
// the CROCUTA_*_FUNCTORS lists.
#pragma once

#include "kernels/types.h"

namespace crocuta::kernels {

inline constexpr int kMaxDims = 8;

// Sizes and per-operand strides (in elements; 0 where an operand is broadcast) of a strided loop
// whose result is row-major.
template <int Operands>
struct StridedShape {
  int dims = 0;
  std::int64_t size[kMaxDims] = {};
  std::int64_t stride[Operands][kMaxDims] = {};
};
}  // namespace crocuta::kernels
