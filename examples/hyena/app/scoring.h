// What a model of DNA makes of sequences: likelihoods and embeddings, in windows of bounded length.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "layers/hyena/lm.h"

namespace crocuta::hyena {

// Windows of `length` tokens, of which each but the first begins with `overlap` tokens that the one
// before has scored already, for context.
struct ScoreWindows {
  std::int64_t length = 0, overlap = 0;
};

// What is handed on for every base that has a prediction: its place in the sequence and its
// log-likelihood (natural logarithm).
using BaseSink = std::function<void(std::int64_t position, double log_likelihood)>;
// The hidden state of every position, once each: rows [n, d] from `position` on.
using HiddenSink = std::function<void(std::int64_t position, const Tensor& rows)>;

// Runs the model over `tokens`, its own numbers. The first token has no prediction, and tokens that
// are never predicted (N) are read, not scored. Either sink may be empty. Throws ArgumentError unless
// 0 <= overlap < length <= the model's l_max; Error if a likelihood is not finite.
void score_sequence(HyenaLM& model, const std::vector<std::int64_t>& tokens,
                    const ScoreWindows& windows, const BaseSink& base,
                    const HiddenSink& hidden = {});

}  // namespace crocuta::hyena
