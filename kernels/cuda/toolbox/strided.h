// Where a StridedShape's elements lie, worked out on the GPU.
#pragma once

#include "kernels/cuda/toolbox/divider.h"
#include "kernels/strided.h"

namespace crocuta::kernels {

// Where the elements of a StridedShape, counted in row-major order, lie in its operands.
template <int Operands>
class StridedWalk {
 public:
  explicit StridedWalk(const StridedShape<Operands>& shape) : last_(shape.dims - 1) {
    for (int d = 0; d < shape.dims; ++d) {
      size_[d] = Divider(shape.size[d] > 0 ? shape.size[d] : 1);
      for (int k = 0; k < Operands; ++k) stride_[k][d] = shape.stride[k][d];
    }
  }

  struct Offsets {
    std::int64_t operand[Operands];
  };
  CROCUTA_HOST_DEVICE Offsets at(std::int64_t i) const {
    Offsets offsets = {};
    for (int d = last_; d > 0; --d) {
      const std::int64_t outer = size_[d].divide(i);
      const std::int64_t position = i - outer * size_[d].divisor();
      for (int k = 0; k < Operands; ++k) offsets.operand[k] += position * stride_[k][d];
      i = outer;
    }
    for (int k = 0; k < Operands; ++k) offsets.operand[k] += i * stride_[k][0];
    return offsets;
  }

 private:
  int last_;
  Divider size_[kMaxDims];
  std::int64_t stride_[Operands][kMaxDims] = {};
};

// The same for one in which all operands are contiguous.
template <int Operands>
struct ContiguousWalk {
  explicit ContiguousWalk(const StridedShape<Operands>&) {}

  CROCUTA_HOST_DEVICE typename StridedWalk<Operands>::Offsets at(std::int64_t i) const {
    typename StridedWalk<Operands>::Offsets offsets = {};
    for (int k = 0; k < Operands; ++k) offsets.operand[k] = i;
    return offsets;
  }
};
template <int Operands>
bool is_contiguous(const StridedShape<Operands>& shape) {
  bool contiguous = shape.dims == 1;
  for (int k = 0; k < Operands; ++k) contiguous = contiguous && shape.stride[k][0] == 1;
  return contiguous;
}

}  // namespace crocuta::kernels
