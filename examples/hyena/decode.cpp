#include "examples/hyena/decode.h"

#include <algorithm>
#include <cmath>

#include "examples/hyena/data/draws.h"
#include "framework/ops/ops.h"

namespace crocuta::hyena {

std::vector<float> next_logits(HyenaLM& model, const std::vector<std::int64_t>& tokens) {
  const NoGrad no_grad;
  const auto length =
      std::min<std::int64_t>(static_cast<std::int64_t>(tokens.size()), model.options().hyena.l_max);
  const std::vector<std::int64_t> window(tokens.end() - length, tokens.end());
  const Tensor ids = from_vector(window, {1, length}, model.options().hyena.device);
  return select(select(model.forward(ids), 1, -1), 0, 0).to_vector<float>();
}

Decoder::Decoder(HyenaLM& model, std::vector<std::int64_t> prompt, Window window)
    : model_(model), window_(window), tokens_(std::move(prompt)), state_(model.start()) {
  if (tokens_.empty()) fail<ArgumentError>("decode", "prompt", "at least one token", "none");
  model.eval();
  const auto length = static_cast<std::int64_t>(tokens_.size());
  extend(std::min(length, model.options().hyena.l_max));
}

void Decoder::append(std::int64_t token) {
  tokens_.push_back(token);
  const std::int64_t l_max = model_.options().hyena.l_max;
  if (state_.position() < l_max) {
    extend(1);
  } else if (window_ == Window::slide) {
    logits_ = next_logits(model_, tokens_);
  } else {
    state_ = model_.start();
    extend(std::max<std::int64_t>(1, l_max / 2));
  }
}

void Decoder::extend(std::int64_t count) {
  const std::vector<std::int64_t> last(tokens_.end() - count, tokens_.end());
  const Tensor ids = from_vector(last, {1, count}, model_.options().hyena.device);
  logits_ = select(select(model_.extend(ids, state_), 1, -1), 0, 0).to_vector<float>();
}

std::int64_t choose_token(const std::vector<float>& logits, const DecodeOptions& options,
                          std::int64_t position) {
  std::vector<std::int64_t> order;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    if (!(logits[i] < HUGE_VALF)) {
      throw Error(str("the model gives token ", i, " the logit ", logits[i],
                      ": are its parameters damaged?"));
    }
    if (logits[i] > -HUGE_VALF) order.push_back(static_cast<std::int64_t>(i));
  }
  if (order.empty()) {
    throw Error("the model gives no token a chance: are its parameters damaged?");
  }
  std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
    return logits[static_cast<std::size_t>(a)] > logits[static_cast<std::size_t>(b)];
  });
  if (options.temperature == 0) return order.front();
  if (options.top_k > 0 && options.top_k < static_cast<std::int64_t>(order.size())) {
    order.resize(static_cast<std::size_t>(options.top_k));
  }
  const double largest = logits[static_cast<std::size_t>(order.front())];
  std::vector<double> cumulative;
  double sum = 0;
  for (const std::int64_t token : order) {
    sum += std::exp((logits[static_cast<std::size_t>(token)] - largest) / options.temperature);
    cumulative.push_back(sum);
  }
  if (options.top_p < 1) {
    // The fewest that reach the share, the first always among them.
    const auto enough = std::lower_bound(cumulative.begin(), cumulative.end(), options.top_p * sum);
    cumulative.erase(std::min(enough, cumulative.end() - 1) + 1, cumulative.end());
    sum = cumulative.back();
  }
  Draws draws(options.seed, Purpose::decode, static_cast<std::uint64_t>(position));
  const double at = sum * (static_cast<double>(draws.below(std::uint64_t{1} << 53)) * 0x1p-53);
  const auto chosen = std::upper_bound(cumulative.begin(), cumulative.end(), at);
  const auto place =
      std::min<std::ptrdiff_t>(chosen - cumulative.begin(), std::ssize(cumulative) - 1);
  return order[static_cast<std::size_t>(place)];
}

std::vector<std::int64_t> continue_sequence(HyenaLM& model, std::vector<std::int64_t> prompt,
                                            const DecodeOptions& options,
                                            const std::function<bool(std::int64_t)>& emit) {
  Decoder decoder(model, std::move(prompt), options.window);
  std::vector<std::int64_t> continuation;
  for (std::int64_t i = 0; i < options.max_tokens; ++i) {
    const std::int64_t choice = choose_token(decoder.logits(), options, i);
    continuation.push_back(model.predicted().first + choice);
    if (!emit(continuation.back())) break;
    if (i + 1 < options.max_tokens) decoder.append(continuation.back());
  }
  return continuation;
}

}  // namespace crocuta::hyena
