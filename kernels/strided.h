// How kernels that take views are told about them.
#pragma once

#include "kernels/types.h"

namespace crocuta::kernels {

inline constexpr int kMaxDims = 8;

// A loop nest over several operands: sizes, outermost first, and for each operand its strides in
// elements (0 where it is broadcast). framework/tensor/strided.h makes these, merging dimensions that
// are adjacent in every operand; dims is at least 1.
template <int Operands>
struct StridedShape {
  int dims = 1;
  std::int64_t numel = 0;
  std::int64_t size[kMaxDims] = {};
  std::int64_t stride[Operands][kMaxDims] = {};
};

}  // namespace crocuta::kernels
