// What the GPU itself can do: the yardsticks of its kernels.
#pragma once

#include <cstdint>

#include "kernels/types.h"

namespace crocuta::bench {

// y = x for `bytes` bytes, a multiple of 16, aligned to that: 16 bytes at a time, four per thread.
void device_copy(std::int64_t bytes, const void* x, void* y, kernels::Stream stream);
// The same by cudaMemcpyAsync.
void device_memcpy(std::int64_t bytes, const void* x, void* y, kernels::Stream stream);
// y = a + b on 32-bit integers: two streams read, one written, next to no arithmetic.
void device_add(std::int64_t bytes, const void* a, const void* b, void* y, kernels::Stream stream);
// Independent multiply-adds of floats in registers; y has room for one float. Returns how many
// floating-point operations it does.
double device_multiply_adds(float* y, kernels::Stream stream);

}  // namespace crocuta::bench
