// How kernels are launched.
//
// A kernel must be launched through launch(): a plain <<<>>> "succeeds" in silence on a machine
// without a GPU.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/cuda/toolbox/device.h"
#include "kernels/cuda/toolbox/grid.h"

namespace crocuta::kernels {

// This thread's number in a grid of one dimension, and how many threads that grid has:
//   for (std::int64_t i = grid_index(); i < n; i += grid_stride()) ...
__device__ inline std::int64_t grid_index() {
  return static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
}
__device__ inline std::int64_t grid_stride() {
  return static_cast<std::int64_t>(gridDim.x) * blockDim.x;
}

// Runs kernel(args...) on `stream`. `name` is that of the op, for messages; a string literal. An
// empty grid runs nothing.
template <class... Params, class... Args>
void launch(const char* name, void (*kernel)(Params...), const LaunchConfig& config, Stream stream,
            const Args&... args) {
  static_assert(sizeof...(Params) == sizeof...(Args));
  if (config.grid.x == 0 || config.grid.y == 0 || config.grid.z == 0) return;
  const auto queue = static_cast<cudaStream_t>(stream);
#if defined(CROCUTA_CUDA_EMULATED)
  emulation::launch<Params...>(name, kernel, config.grid, config.block, config.shared_bytes, queue,
                               args...);
#else
  [&](Params... params) {
    void* pointers[] = {&params...};
    // Its error is found again by finish_launch.
    static_cast<void>(cudaLaunchKernel(reinterpret_cast<const void*>(kernel), config.grid,
                                       config.block, pointers, config.shared_bytes, queue));
  }(args...);
#endif
  detail::finish_launch(name, queue);
}

// Lets `kernel` be launched with up to `bytes` of dynamic shared memory.
template <class... Params>
void allow_shared_memory(const char* name, void (*kernel)(Params...), std::size_t bytes) {
  check_cuda(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                  static_cast<int>(bytes)),
             name);
}

}  // namespace crocuta::kernels
