// Shape arithmetic for ops on views: broadcasting, and loop nests for kernels.
#pragma once

#include <array>
#include <string_view>

#include "framework/tensor/tensor.h"
#include "kernels/strided.h"

namespace crocuta {

// The shape that `a` and `b` broadcast to (NumPy's rule: aligned at the last dimension, a size of 1
// stretches). Throws ShapeError, naming `op`, if they do not.
Shape broadcast_shapes(const char* op, const Shape& a, const Shape& b);

// The strides with which `x` is read as if it had shape `shape`: 0 where it is stretched. Throws
// ShapeError, naming `op`, if x does not broadcast to it.
Shape broadcast_strides(const char* op, const Tensor& x, const Shape& shape);

// The loop nest over `shape` for operands with these strides. Dimensions of size 1 are dropped and
// neighbours that are adjacent for every operand are merged, so a contiguous walk has one.
template <int Operands>
kernels::StridedShape<Operands> strided_shape(const Shape& shape,
                                              const std::array<Shape, Operands>& strides) {
  kernels::StridedShape<Operands> walk;
  walk.dims = 0;
  walk.numel = element_count(shape);
  for (std::size_t d = 0; d < shape.size(); ++d) {
    if (shape[d] == 1) continue;
    const int last = walk.dims - 1;
    bool adjacent = walk.dims > 0;
    for (std::size_t k = 0; adjacent && k < Operands; ++k) {
      adjacent = walk.stride[k][last] == strides[k][d] * shape[d];
    }
    const int to = adjacent ? last : walk.dims++;
    walk.size[to] = adjacent ? walk.size[to] * shape[d] : shape[d];
    for (std::size_t k = 0; k < Operands; ++k) walk.stride[k][to] = strides[k][d];
  }
  if (walk.dims == 0) {
    walk.dims = 1;
    walk.size[0] = 1;
    for (int k = 0; k < Operands; ++k) walk.stride[k][0] = 1;
  }
  return walk;
}

// `dim` as an index into `dims` dimensions; negative counts from the end. Throws ShapeError.
int normalize_dim(const char* op, int dim, int dims);

}  // namespace crocuta
