// CUDA's runtime: NVIDIA's, or in a build with CROCUTA_CUDA=emulated the part of it that kernels/
// may use, run on the CPU. The only way by which this project's files reach either.
#pragma once

#if defined(CROCUTA_CUDA_EMULATED)
#include "emulation/cuda_runtime.h"
#else
#include <cuda_runtime.h>

// Shared memory, declared so that the emulation can watch over it: `T name[size]` for the block,
// undefined at first; and the bytes that LaunchConfig::shared_bytes asks for.
#define CROCUTA_SHARED(T, name, size) __shared__ T name[size]
#define CROCUTA_DYNAMIC_SHARED(T, name)                           \
  extern __shared__ __align__(16) unsigned char crocuta_shared[]; \
  T* const name = reinterpret_cast<T*>(crocuta_shared)
#endif
