// The shapes of launches: plain arithmetic, which tests check without a GPU.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/cuda/toolbox/runtime.h"
#include "kernels/types.h"

namespace crocuta::kernels {

struct LaunchConfig {
  dim3 grid = dim3(1), block = dim3(1);
  std::size_t shared_bytes = 0;  // of dynamic shared memory
};

// Threads per block where a kernel has no reason for another number.
inline constexpr int kBlockThreads = 256;
inline constexpr int kWarpThreads = 32;
// A grid has at most this many blocks along x; along y and z it is 65,535.
inline constexpr std::int64_t kMaxGridX = 2147483647;

// ceil(n / d) for n >= 0, d > 0.
CROCUTA_HOST_DEVICE constexpr std::int64_t ceil_div(std::int64_t n, std::int64_t d) {
  return n / d + (n % d != 0);
}

// One block for every `per_block` of n items, at most kMaxGridX: kernels stride by the grid.
inline LaunchConfig grid_for(std::int64_t n, std::int64_t per_block = kBlockThreads,
                             int threads = kBlockThreads) {
  const std::int64_t blocks = ceil_div(n, per_block);
  LaunchConfig config;
  config.grid = dim3(static_cast<unsigned>(blocks < kMaxGridX ? blocks : kMaxGridX));
  config.block = dim3(static_cast<unsigned>(threads));
  return config;
}

// The grid of chunks.h for n elements in chunks of `width`. A thread loads several chunks before it
// stores the first, to have more loads under way.
inline constexpr int kChunksPerThread = 2;
inline LaunchConfig chunk_grid(std::int64_t n, int width) {
  return grid_for(ceil_div(n, width), kChunksPerThread * kBlockThreads);
}

}  // namespace crocuta::kernels
