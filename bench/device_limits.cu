#include "bench/device_limits.h"

#include "kernels/cuda/toolbox/launch.h"

namespace crocuta::bench {
namespace {

using namespace kernels;

constexpr int kThreads = 256, kPerThread = 4, kPerBlock = kThreads * kPerThread;

// Applies op to 16 bytes of each operand at a time; blocks that are full check nothing.
template <class Op>
__device__ inline void for_vectors(std::int64_t n, Op op) {
  const std::int64_t first = static_cast<std::int64_t>(blockIdx.x) * kPerBlock + threadIdx.x;
  if (first - threadIdx.x + kPerBlock <= n) {
    op(first, static_cast<int>(kPerThread));
  } else {
    for (std::int64_t i = first; i < n; i += kThreads) op(i, 1);
  }
}

__global__ void __launch_bounds__(kThreads)
    copy_kernel(std::int64_t n, const uint4* __restrict__ x, uint4* __restrict__ y) {
  for_vectors(n, [&](std::int64_t i, int count) {
    uint4 values[kPerThread];
#pragma unroll
    for (int j = 0; j < kPerThread; ++j) {
      if (j < count) values[j] = x[i + j * kThreads];
    }
#pragma unroll
    for (int j = 0; j < kPerThread; ++j) {
      if (j < count) y[i + j * kThreads] = values[j];
    }
  });
}

__global__ void __launch_bounds__(kThreads)
    add_kernel(std::int64_t n, const uint4* __restrict__ a, const uint4* __restrict__ b,
               uint4* __restrict__ y) {
  for_vectors(n, [&](std::int64_t i, int count) {
    uint4 p[kPerThread], q[kPerThread];
#pragma unroll
    for (int j = 0; j < kPerThread; ++j) {
      if (j < count) p[j] = a[i + j * kThreads];
      if (j < count) q[j] = b[i + j * kThreads];
    }
#pragma unroll
    for (int j = 0; j < kPerThread; ++j) {
      if (j >= count) continue;
      y[i + j * kThreads] = {p[j].x + q[j].x, p[j].y + q[j].y, p[j].z + q[j].z, p[j].w + q[j].w};
    }
  });
}

constexpr int kChains = 16, kSteps = 4096;

__global__ void __launch_bounds__(kThreads) multiply_adds_kernel(float a, float b, float* y) {
  float sums[kChains];
#pragma unroll
  for (int c = 0; c < kChains; ++c) sums[c] = static_cast<float>(c + threadIdx.x);
  for (int i = 0; i < kSteps; ++i) {
#pragma unroll
    for (int c = 0; c < kChains; ++c) sums[c] = fmaf(sums[c], a, b);
  }
  float total = 0;
#pragma unroll
  for (int c = 0; c < kChains; ++c) total += sums[c];
  if (total == 12345.0f) *y = total;  // never, which the compiler cannot know
}

}  // namespace

void device_copy(std::int64_t bytes, const void* x, void* y, Stream stream) {
  launch("bench copy", copy_kernel, grid_for(bytes / 16, kPerBlock, kThreads), stream, bytes / 16,
         static_cast<const uint4*>(x), static_cast<uint4*>(y));
}

void device_memcpy(std::int64_t bytes, const void* x, void* y, Stream stream) {
  check_cuda(cudaMemcpyAsync(y, x, static_cast<std::size_t>(bytes), cudaMemcpyDeviceToDevice,
                             static_cast<cudaStream_t>(stream)),
             "bench memcpy");
}

void device_add(std::int64_t bytes, const void* a, const void* b, void* y, Stream stream) {
  launch("bench add", add_kernel, grid_for(bytes / 16, kPerBlock, kThreads), stream, bytes / 16,
         static_cast<const uint4*>(a), static_cast<const uint4*>(b), static_cast<uint4*>(y));
}

double device_multiply_adds(float* y, Stream stream) {
  const int blocks = 16 * multiprocessors();
  launch("bench multiply-adds", multiply_adds_kernel, grid_for(blocks, 1, kThreads), stream, 0.999f,
         0.001f, y);
  return 2.0 * kChains * kSteps * kThreads * blocks;
}

}  // namespace crocuta::bench
