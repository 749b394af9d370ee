// Text from a model, one token after the other.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "layers/hyena/lm.h"

namespace crocuta::hyena {

// What the model sees of a sequence that has become longer than its l_max.
enum class Window {
  restart,  // the last half of l_max, and from there on all, until that is full again
  slide     // the last l_max tokens, each time anew: as slow as it was before there was extend()
};

struct DecodeOptions {
  std::int64_t max_tokens = 200;
  double temperature = 1;  // 0: always the likeliest token
  std::int64_t top_k = 0;  // choose among the k likeliest; 0: among all
  double top_p = 1;        // choose among the likeliest whose probabilities reach this sum
  std::uint64_t seed = 0;
  Window window = Window::restart;
};

// The logits of the token after `tokens` (at least one), of those in model.predicted(), from a
// forward pass over all of them, or over the last l_max when there are more.
std::vector<float> next_logits(HyenaLM& model, const std::vector<std::int64_t>& tokens);

// The same, one token after the other, by HyenaLM::extend().
class Decoder {
 public:
  // Throws ArgumentError unless there is a token. Ends the model's training mode.
  Decoder(HyenaLM& model, std::vector<std::int64_t> prompt, Window window = Window::restart);
  // Of the token after the prompt and all that was appended.
  const std::vector<float>& logits() const { return logits_; }
  void append(std::int64_t token);

 private:
  // Takes the last `count` tokens into the state.
  void extend(std::int64_t count);

  HyenaLM& model_;
  const Window window_;
  std::vector<std::int64_t> tokens_;
  State state_;
  std::vector<float> logits_;
};

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
