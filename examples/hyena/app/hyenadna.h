// Models in the format of HyenaDNA (LongSafari/hyenadna-<size>-seqlen-hf): a model.safetensors and a
// config.json, by the names of its PyTorch code.
#pragma once

#include <string>
#include <vector>

#include "examples/hyena/options.h"
#include "framework/nn/module.h"

namespace crocuta::hyena {

// A model of ours, read from there.
struct HyenaDna {
  Options options;                    // task dna, codec hyenadna, and the model's sizes
  StateDict parameters;               // by our names, float32
  std::vector<std::string> warnings;  // keys of config.json that nobody has heard of
};

// Reads `directory`. `filter_shift` is not written there: 0.05 in the code that was published for
// inference, 0 in that for training. Throws IoError or FormatError, in one line with all that is
// wrong, for tensors that are missing, unknown, mis-shaped, or differ from the formula that makes
// them, and for another architecture.
HyenaDna read_hyenadna(const std::string& directory, double filter_shift);

// The other way: its tensors and its config.json. Throws ArgumentError for a model that the format
// cannot express.
struct HyenaDnaFiles {
  StateDict tensors;
  std::string config;
};
HyenaDnaFiles to_hyenadna(const Options& options, const StateDict& parameters);

}  // namespace crocuta::hyena
