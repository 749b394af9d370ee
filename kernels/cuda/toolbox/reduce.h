// Sums and maxima over the threads of a warp and of a block, in a fixed order.
#pragma once

#include "kernels/cuda/toolbox/launch.h"

namespace crocuta::kernels {

// The value of the lane whose number differs in the bits of `lanes`. A type of several words has an
// overload of its own.
template <class A>
__device__ inline A shuffle_xor(A value, int lanes) {
  return __shfl_xor_sync(0xffffffffu, value, lanes);
}

// op(a, b) over neighbouring lanes, a power of two of them, each of which gets the result; op
// commutes. All 32 lanes take part.
template <class A, class Op>
__device__ inline A warp_reduce(A value, Op op, int lanes = kWarpThreads) {
  for (int half = lanes / 2; half > 0; half /= 2) value = op(value, shuffle_xor(value, half));
  return value;
}

// The same over all threads of a block of one dimension with a whole number of warps. Has barriers:
// every thread must come here, and `empty` is the value that changes nothing.
template <class A, class Op>
__device__ inline A block_reduce(A value, A empty, Op op) {
  CROCUTA_SHARED(A, partial, kWarpThreads);
  const int lane = static_cast<int>(threadIdx.x) % kWarpThreads;
  const int warp = static_cast<int>(threadIdx.x) / kWarpThreads;
  const int warps = static_cast<int>(blockDim.x) / kWarpThreads;
  value = warp_reduce(value, op);
  __syncthreads();  // a second reduction must not overwrite what the first still reads
  if (lane == 0) partial[warp] = value;
  __syncthreads();
  return warp_reduce(lane < warps ? partial[lane] : empty, op);
}

struct Plus {
  template <class A>
  __device__ A operator()(A a, A b) const {
    return a + b;
  }
};
// Of a and b the larger, of which NaN is never a.
struct Larger {
  template <class A>
  __device__ A operator()(A a, A b) const {
    return b > a ? b : a;
  }
};

template <class A>
__device__ inline A block_sum(A value) {
  return block_reduce(value, A(0), Plus{});
}

}  // namespace crocuta::kernels
