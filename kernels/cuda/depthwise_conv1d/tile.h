// What the kernels for long filters share. Arithmetic bounds these, so what counts is multiply-adds
// per load: a thread keeps the sums of N = kConvSums neighbouring outputs (or taps, for dweight) in
// registers, and for N terms of each reads 2 N samples and N factors from shared memory, four at a
// time: 12 loads for 256 products.
//
// Shared memory holds samples as accumulator_t<T> in stretches of N with 16 bytes between them, so
// that neighbouring threads, which begin N apart, read from different banks.
#pragma once

#include "kernels/cuda/depthwise_conv1d/row.h"
#include "kernels/cuda/toolbox/reduce.h"

namespace crocuta::kernels {

// Values that are read at once, and from the start of a stretch to that of the next.
template <class T>
inline constexpr int kConvRead = 16 / static_cast<int>(sizeof(accumulator_t<T>));
template <class T>
inline constexpr int kPaddedStretch = kPaddedBytes / static_cast<int>(sizeof(accumulator_t<T>));
// Where sample p lies.
template <class T>
__device__ inline int padded_place(int p) {
  return p / kConvSums<T> * kPaddedStretch<T> + p % kConvSums<T>;
}

// The number of this block in a grid of any number of them.
__device__ inline std::int64_t block_number() {
  return static_cast<std::int64_t>(blockIdx.y) * gridDim.x + blockIdx.x;
}
inline LaunchConfig block_launch(std::int64_t blocks, int threads, int rows,
                                 std::int64_t shared_bytes) {
  const BlockGrid grid(blocks);
  LaunchConfig config;
  config.grid = dim3(static_cast<unsigned>(grid.x), static_cast<unsigned>(grid.y));
  config.block = dim3(static_cast<unsigned>(threads), static_cast<unsigned>(rows));
  config.shared_bytes = static_cast<std::size_t>(shared_bytes);
  return config;
}

// From `place` of the row that begins at element `row` on.
__device__ inline Stretch stretch_at(std::int64_t row, std::int64_t place, std::int64_t length) {
  constexpr std::int64_t kFar = 1 << 30;
  const auto near = [](std::int64_t p) {
    return static_cast<int>(p < -kFar ? -kFar : p > kFar ? kFar : p);
  };
  return {row + place, near(-place), near(length - place)};
}

// Brings samples [0, count) of a stretch into shared memory, zeros for those that the row does not
// hold; this thread does its share. Adds its samples to `sum`, and each one times 0 to `check`.
template <class T>
__device__ inline void fill_tile(const T* data, const Stretch& s, int count, std::int64_t total,
                                 bool aligned, int thread, int threads, accumulator_t<T>* memory,
                                 accumulator_t<T>& sum, accumulator_t<T>& check) {
  using A = accumulator_t<T>;
  constexpr int R = kConvRead<T>;
#pragma unroll 4
  for (int p = thread * R; p < count; p += threads * R) {
    Samples<T, R> samples;
    if (aligned && s.at + p >= 0 && s.at + p + R <= total) {
      samples.template load<false>(data, s, p);
    } else {
      samples.template load<true>(data, s, p);
    }
    Vector<A, R> values;
#pragma unroll
    for (int j = 0; j < R; ++j) {
      values[j] = s.holds(p + j) ? samples[j] : A(0);
      sum += values[j];
      check = multiply_add(values[j], A(0), check);
    }
    store_vector(memory + padded_place<T>(p), values);
  }
}

// `Count` values of shared memory.
template <int Count, class A>
__device__ inline void read_values(const A* memory, A* values) {
  constexpr int R = 16 / static_cast<int>(sizeof(A));
#pragma unroll
  for (int i = 0; i < Count; i += R) {
    const Vector<A, R> vector = load_vector<R>(memory + i);
#pragma unroll
    for (int j = 0; j < R; ++j) values[i + j] = vector[j];
  }
}

// True if `value` is for any thread of the block, all of which come here. A barrier must lie
// between two calls.
__device__ inline bool block_any(bool value) {
  CROCUTA_SHARED(int, any, kLongThreads / kWarpThreads);
  const int thread = static_cast<int>(threadIdx.y * blockDim.x + threadIdx.x);
  const int warps = static_cast<int>(blockDim.x * blockDim.y) / kWarpThreads;
  const int count = warp_reduce(value ? 1 : 0, Plus{});
  if (thread % kWarpThreads == 0) any[thread / kWarpThreads] = count;
  __syncthreads();
  int total = 0;
#pragma unroll 1
  for (int w = 0; w < warps; ++w) total += any[w];
  return total > 0;
}

}  // namespace crocuta::kernels
