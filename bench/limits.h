// What the machine itself can do: the yardsticks of every other number.
#pragma once

#include <cstddef>

namespace crocuta::bench {

// All on kernels::thread_count() threads, in vectors, each thread on one contiguous part.

// y = x: what a kernel that reads one stream and writes one can reach.
void copy(std::size_t n, const float* x, float* y);
// The same with stores that bypass the caches (as copy() where the machine has none).
void stream_copy(std::size_t n, const float* x, float* y);
// y = a + b: two streams read, one written.
void add(std::size_t n, const float* a, const float* b, float* y);
// Independent multiply-adds in registers; returns how many floating-point operations it did.
double multiply_adds();

}  // namespace crocuta::bench
