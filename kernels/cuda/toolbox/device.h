// What host code asks of CUDA: whether a call failed, and what the current device can do.
#pragma once

#include <cstddef>

#include "kernels/cuda/toolbox/runtime.h"

namespace crocuta::kernels {

// Throws DeviceError("<what>: ..."), naming the kernels launched last, unless status is
// cudaSuccess.
void check_cuda(cudaError_t status, const char* what);

namespace detail {
// After a launch: throws if it failed; with CROCUTA_CUDA_SYNC=1 in the environment, waits for the
// kernel and throws if that failed, so that a fault is blamed on the right one.
void finish_launch(const char* name, cudaStream_t stream);
}  // namespace detail

// Of the current device: how many multiprocessors it has, and the most dynamic shared memory a
// block may ask for (above 48 KiB only after allow_shared_memory).
int multiprocessors();
std::size_t max_shared_bytes();

}  // namespace crocuta::kernels
