// Whether a run can fit into memory: a rough estimate, below what is really taken, made before
// anything is.
#pragma once

#include "examples/hyena/options.h"

namespace crocuta::hyena {

// Of one process, of whose `world` ranks `here` are threads, in bytes.
struct MemoryEstimate {
  double activations = 0;  // of a training step
  double parameters = 0;   // with gradients and what the optimizer keeps
  double data = 0;         // the files or sequences, and a batch of them
  double total() const { return activations + parameters + data; }
};
MemoryEstimate estimate_memory(const Options& options, int world, int here);

// Throws OutOfMemory, with the figures, if that is more than this process can get.
void require_memory(const Options& options, int world, int here);

}  // namespace crocuta::hyena
