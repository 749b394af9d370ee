// Dropout on sequences that are sharded over ranks.
#pragma once

#include "distributed/context_parallel.h"

namespace crocuta {

// Zeroes elements of x [B, L/P, d] with the given probability and scales the others by
// 1 / (1 - probability). Which ones is decided by the default generator's next stream and each
// element's place in the whole [sequences, L, d] batch, so not by how that is divided over ranks,
// as long as their generators are in the same state. With probability 0 it returns x and leaves the
// generator alone.
struct SequenceDropout {
  double probability = 0;
  std::int64_t first_sequence = 0;  // the number of x's first sequence in the whole batch
  Sharding sharding = Sharding::contiguous;

  Tensor operator()(const Tensor& x, const ProcessGroup& cp) const;
};

}  // namespace crocuta
