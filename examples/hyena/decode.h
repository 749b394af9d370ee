// Text from a model, one token after the other.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "layers/hyena/lm.h"

namespace crocuta::hyena {

struct DecodeOptions {
  std::int64_t max_tokens = 200;
  double temperature = 1;  // 0: always the likeliest token
  std::int64_t top_k = 0;  // choose among the k likeliest; 0: among all
  std::uint64_t seed = 0;
};

// The logits of the token after `tokens` (at least one), of those in model.predicted(), from a
// forward pass over all of them, or over the last l_max when there are more.
std::vector<float> next_logits(HyenaLM& model, const std::vector<std::int64_t>& tokens);

// The place in `logits` of the token to append: a pure function of its arguments. Ties go to the
// first, and one whose logit is -infinity is never chosen. Throws Error if a logit is NaN or
// +infinity, or all are -infinity.
std::int64_t choose_token(const std::vector<float>& logits, const DecodeOptions& options,
                          std::int64_t position);

// The continuation of `prompt` (at least one token). Each token is handed to `emit` as it comes,
// which returns false to stop. Throws ArgumentError for an empty prompt.
std::vector<std::int64_t> continue_sequence(
    HyenaLM& model, std::vector<std::int64_t> prompt, const DecodeOptions& options,
    const std::function<bool(std::int64_t)>& emit = [](std::int64_t) { return true; });

}  // namespace crocuta::hyena
