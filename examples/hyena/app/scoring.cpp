#include "examples/hyena/app/scoring.h"

#include <algorithm>
#include <cmath>

#include "framework/base/error.h"
#include "framework/ops/ops.h"

namespace crocuta::hyena {
namespace {

// The log-likelihoods of the tokens after each position of one window, whose logits are [n, V].
void score_window(HyenaLM& model, const std::vector<std::int64_t>& tokens, std::int64_t begin,
                  std::int64_t first, const Tensor& logits, const BaseSink& base) {
  const std::vector<double> log_p = log_softmax(logits.to(DType::float64)).to_vector<double>();
  const auto [least, count] = model.predicted();
  for (std::int64_t t = first; t < logits.size(0); ++t) {
    const std::int64_t next = begin + t + 1;
    if (next >= std::ssize(tokens)) return;
    const std::int64_t token = tokens[static_cast<std::size_t>(next)] - least;
    if (token < 0 || token >= count) continue;
    const double value = log_p[static_cast<std::size_t>(t * count + token)];
    if (!std::isfinite(value)) {
      throw Error(str("the model gives position ", next + 1, " the log-likelihood ", value,
                      ": are its parameters damaged?"));
    }
    base(next, value);
  }
}

}  // namespace

void score_sequence(HyenaLM& model, const std::vector<std::int64_t>& tokens,
                    const ScoreWindows& windows, const BaseSink& base, const HiddenSink& hidden) {
  const HyenaOptions& o = model.options().hyena;
  if (windows.length < 1 || windows.length > o.l_max) {
    fail<ArgumentError>("score", "window", str("a length from 1 to l_max ", o.l_max),
                        str(windows.length));
  }
  if (windows.overlap < 0 || windows.overlap >= windows.length) {
    fail<ArgumentError>("score", "overlap", str("from 0 to below ", windows.length),
                        str(windows.overlap));
  }
  const NoGrad no_grad;
  model.eval();
  const std::int64_t size = std::ssize(tokens);
  for (std::int64_t begin = 0, done = 0; done < size; begin = done - windows.overlap) {
    const std::int64_t n = std::min(windows.length, size - begin);
    const std::vector<std::int64_t> part(tokens.begin() + begin, tokens.begin() + begin + n);
    const Tensor states = model.hidden(from_vector(part, {1, n}, o.device));
    const std::int64_t first = done - begin;  // what this window is the first to see
    if (base) score_window(model, tokens, begin, first, select(model.logits(states), 0, 0), base);
    if (hidden) hidden(done, narrow(select(states, 0, 0), 0, first, n - first));
    done = begin + n;
  }
}

}  // namespace crocuta::hyena
