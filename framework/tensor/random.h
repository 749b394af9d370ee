// Counter-based random numbers (Philox4x32-10; Salmon et al., "Parallel random numbers: as easy as
// 1, 2, 3", SC 2011): the i-th number of a stream is a pure function of (seed, stream, i), so the
// same on every device, at any thread count and for any number of ranks.
#pragma once

#include <cstdint>

#include "framework/tensor/tensor.h"

namespace crocuta {

// One stream of random numbers; element i of a tensor uses number i.
struct RandomKey {
  std::uint64_t seed = 0;
  std::uint64_t stream = 0;
};

// Hands out streams. Its whole state is two numbers, so it is cheap to save and restore.
struct Generator {
  std::uint64_t seed = 0;
  std::uint64_t next_stream = 0;

  RandomKey next() { return {seed, next_stream++}; }
};

// This thread's generator, which initialises parameters; seed 0 to begin with.
Generator& default_generator();
// Restarts this thread's default generator.
void manual_seed(std::uint64_t seed);

// In place, outside the graph. The same numbers in every dtype, up to its rounding.
void uniform_(const Tensor& x, double low, double high, Generator& generator = default_generator());
void normal_(const Tensor& x, double mean, double stddev,
             Generator& generator = default_generator());

// New tensors: uniform in [0, 1), and standard normal.
Tensor rand(Shape shape, TensorOptions options = {}, Generator& generator = default_generator());
Tensor randn(Shape shape, TensorOptions options = {}, Generator& generator = default_generator());

}  // namespace crocuta
