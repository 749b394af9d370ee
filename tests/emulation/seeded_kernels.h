// Small kernels like those of kernels/cuda/, each with one right form and several faulty ones.
#pragma once

#include <cstdint>
#include <type_traits>

#include "kernels/cuda/toolbox/launch.h"
#include "kernels/cuda/toolbox/vector.h"

namespace crocuta::test {

using kernels::kWarpThreads;

enum class Fault {
  none,
  dropped_barrier,
  dropped_second_barrier,
  divergent_barrier,
  return_before_barrier,
  uninitialised_word,
  wrong_width,
  wrong_mask,
  lanes_returned,
  missing_lane_check,
  tail_too_short,
  tail_too_long,
  misaligned_vector,
  write_past_end,
  read_past_end,
  read_before_start,
  no_stride_loop,
  index_of_32_bits,
  shared_too_small,
  wrong_dimension,
};

inline constexpr int kThreads = 128;

// y[b] = the largest of x[b][0 ... n-1] minus their smallest; one block per row, n <= kThreads.
template <Fault F>
__global__ void spread_kernel(int n, float* y, const float* x) {
  CROCUTA_SHARED(float, value, kThreads);
  const int t = static_cast<int>(threadIdx.x);
  if (F == Fault::return_before_barrier && t >= n) return;
  const float own = x[blockIdx.x * n + (F == Fault::read_past_end ? t : t < n ? t : 0)];
  float results[2];
  for (int sign = 0; sign < 2; ++sign) {
    if (F != Fault::dropped_second_barrier) __syncthreads();
    if (F != Fault::uninitialised_word || t < n) value[t] = sign == 0 ? own : -own;
    if (F != Fault::dropped_barrier) __syncthreads();
    for (int half = kThreads / 2; half > 0; half /= 2) {
      if (t < half) {
        value[t] = value[t + half] > value[t] ? value[t + half] : value[t];
        if (value[t + half] != value[t + half]) value[t] = value[t + half];
        if (F == Fault::divergent_barrier) __syncthreads();
      }
      if (F != Fault::divergent_barrier) __syncthreads();
    }
    results[sign] = value[0];
  }
  if (t == kThreads - 1) y[blockIdx.x] = results[0] + results[1];
}

// y = the sums of the first 1, 2, 3 ... elements of each row of 32; a warp per row.
template <Fault F>
__global__ void warp_scan_kernel(int rows, int* y, const int* x) {
  const int lane = static_cast<int>(threadIdx.x) % kWarpThreads;
  const int row = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x) / kWarpThreads;
  if (row >= rows) return;
  int sum = x[row * kWarpThreads + lane];
  if (F == Fault::lanes_returned && sum == 0) return;
  constexpr unsigned kMask = F == Fault::wrong_mask ? 0x0000ffffu : 0xffffffffu;
  constexpr int kWidth = F == Fault::wrong_width ? 16 : 32;
  for (int by = 1; by < kWarpThreads; by *= 2) {
    const int before = __shfl_up_sync(kMask, sum, static_cast<unsigned>(by), kWidth);
    if (F == Fault::missing_lane_check || lane >= by) sum += before;
  }
  y[row * kWarpThreads + lane] = sum;
}

inline constexpr int kTile = 16;

// y [columns, rows] = x [rows, columns], by blocks of 16 x 16 threads.
template <Fault F>
__global__ void transpose_kernel(int rows, int columns, float* y, const float* x) {
  CROCUTA_SHARED(float, tile, (F == Fault::shared_too_small ? kTile - 1 : kTile) * (kTile + 1));
  const int tx = static_cast<int>(threadIdx.x), ty = static_cast<int>(threadIdx.y);
  float* const cell = tile;
  const int column = static_cast<int>(blockIdx.x) * kTile + tx;
  const int row = static_cast<int>(blockIdx.y) * kTile + ty;
  const int row_limit = F == Fault::read_past_end ? rows + 1 : rows;
  if (row < row_limit && column < columns) cell[ty * (kTile + 1) + tx] = x[row * columns + column];
  if (F != Fault::dropped_barrier) __syncthreads();
  const int to_row = static_cast<int>(blockIdx.x) * kTile + ty;
  const int to_column = static_cast<int>(blockIdx.y) * kTile + tx;
  const int to_rows = F == Fault::wrong_dimension ? rows : columns;
  if (to_row < to_rows && (F == Fault::write_past_end || to_column < rows)) {
    y[to_row * rows + to_column] = cell[tx * (kTile + 1) + ty];
  }
}

// y = x, in vectors of four and a tail.
template <Fault F>
__global__ void copy_kernel(std::int64_t n, float* y, const float* x) {
  const std::int64_t vectors = F == Fault::tail_too_long ? (n + 3) / 4 : n / 4;
  const std::int64_t stride = F == Fault::no_stride_loop ? n : kernels::grid_stride();
  for (std::int64_t i = kernels::grid_index(); i < vectors; i += stride) {
    kernels::store_vector<4>(y + 4 * i, kernels::load_vector<4>(x + 4 * i));
  }
  const std::int64_t tail = 4 * vectors + kernels::grid_index();
  const std::int64_t end = F == Fault::tail_too_short ? n - 1 : n;
  if (tail < end) y[tail] = x[tail];
}

// y[i] = x[i - 1] + x[i] + x[i + 1], zeros outside; the block's elements and their halo in shared
// memory.
template <Fault F>
__global__ void stencil_kernel(int n, float* y, const float* x) {
  CROCUTA_SHARED(float, window, kThreads + 2);
  const int t = static_cast<int>(threadIdx.x);
  const int i = static_cast<int>(blockIdx.x) * kThreads + t;
  const auto element = [&](int at) {
    if (F == Fault::read_before_start && at < 0) return x[at];
    return at >= 0 && at < n ? x[at] : 0.0f;
  };
  window[t + 1] = element(i);
  if (t == 0) window[0] = element(i - 1);
  if (t == kThreads - 1 && F != Fault::uninitialised_word) window[kThreads + 1] = element(i + 1);
  if (F != Fault::dropped_barrier) __syncthreads();
  if (i < n) y[i] = window[t] + window[t + 1] + window[t + 2];
}

// y[i] = a hash of the element's number in a matrix of which this is row `row`.
template <Fault F>
__global__ void hash_kernel(int n, int row, std::uint64_t* y) {
  using Index = std::conditional_t<F == Fault::index_of_32_bits, int, std::int64_t>;
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i >= n) return;
  const Index number = static_cast<Index>(row) * n + i;
  y[i] = static_cast<std::uint64_t>(number) * 0x9e3779b97f4a7c15u;
}

}  // namespace crocuta::test
