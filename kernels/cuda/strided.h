// Walking a StridedShape on the GPU.
#pragma once

#include "kernels/cuda/chunks.h"
#include "kernels/cuda/divider.h"
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
  __device__ Offsets at(std::int64_t i) const {
    Offsets offsets = {};
    for (int d = last_; d > 0; --d) {
      const std::int64_t outer = size_[d].divide(i);
      const std::int64_t position = i - outer * size_[d].divisor();
#pragma unroll
      for (int k = 0; k < Operands; ++k) offsets.operand[k] += position * stride_[k][d];
      i = outer;
    }
#pragma unroll
    for (int k = 0; k < Operands; ++k) offsets.operand[k] += i * stride_[k][0];
    return offsets;
  }
  // The stride of the last dimension.
  CROCUTA_HOST_DEVICE std::int64_t step(int operand) const {
    return stride_[operand][last_];
  }

 private:
  int last_;
  Divider size_[kMaxDims];
  std::int64_t stride_[Operands][kMaxDims] = {};
};

// Whether operand k, at p, can be read in chunks of N elements that do not cross from row to row:
// as neighbours, or as one element for all of them.
template <int N, int Operands, class T>
bool walks_in_chunks(const StridedShape<Operands>& shape, int k, const T* p) {
  const int last = shape.dims - 1;
  if (shape.dims > 1 && shape.size[last] % N != 0) return false;
  if (shape.stride[k][last] == 0) return true;
  bool whole = shape.stride[k][last] == 1 && takes_chunks<N>(p);
  for (int d = 0; d < last; ++d) whole = whole && shape.stride[k][d] % N == 0;
  return whole;
}

// Elements `offset` ... of p, which for a step of 0 are one and the same.
template <int N, class T>
__device__ inline Vector<T, N> load_walked(const T* p, std::int64_t offset, std::int64_t step) {
  if (step != 0) return load_chunk<N>(p + offset);
  const T value = p[offset];
  Vector<T, N> chunk;
#pragma unroll
  for (int k = 0; k < N; ++k) chunk[k] = value;
  return chunk;
}

}  // namespace crocuta::kernels
