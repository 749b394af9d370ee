// What run_layer does between reading IN and writing OUT.
#pragma once

#include "distributed/backends/threads.h"
#include "framework/base/config.h"
#include "framework/nn/module.h"

namespace crocuta {

// One use of a layer. The tensors' names are those of IN; see run_layer --help.
struct LayerRun {
  std::string layer;
  Config config;
  StateDict in;
  std::uint64_t seed = 0;  // of the layer's own initialisation
  int ranks = 1;
  int shard_dim = 0;  // of the input; negative ones count from its end
};

// Ranks that the layer cannot work on, or that cannot share the input as they are told to.
struct RanksError : ArgumentError {
  using ArgumentError::ArgumentError;
};

// The tensors of OUT, on the CPU: the same for every number of ranks, up to rounding. Throws
// - ArgumentError for an unknown layer and a configuration it does not take,
// - DTypeError for parameters of another dtype than the layer's,
// - RanksError if one rank can do it but `ranks` cannot, or if the input has no such dimension,
// - FormatError for names in `in` other than those above, and parameters that are not the layer's,
// - ShapeError for tensors that `ranks` ranks cannot split evenly,
// as well as what the layer throws.
StateDict run_layer(const LayerRun& run, const RankThreadOptions& options = {});

}  // namespace crocuta
