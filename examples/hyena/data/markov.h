// Order-k Markov models: the honest baseline for next-symbol prediction.
#pragma once

#include <cstdint>
#include <vector>

#include "distributed/process_group.h"

namespace crocuta::hyena {

// The cost of tokens [train_end, count) in bits per token under models of order 0, 1, ...,
// max_order that were fitted on tokens [0, train_end): element k of the result belongs to order k,
// whose prediction from the last k tokens c backs off to order k - 1 where c is rare,
//
//   p_k(x | c) = (n(c, x) + s t(c) p_{k-1}(x | c')) / (n(c) + s t(c)),    p_{-1} = 1 / alphabet,
//
// n being counts in the training region, t(c) the number of different tokens seen after c, and s
// the `backoff` strength. With s = 1 this is method C of Witten and Bell ("The zero-frequency
// problem", 1991), good for text; contexts say far less about the next base of a genome, where s =
// 64 makes high orders cheaper by up to a bit. Tokens >= alphabet are unknown: they are never
// predicted, and a context stops short of them. The result is NaN where nothing is predicted.
//
// The ranks of `world`, which hold the same tokens, share the work, as do this rank's threads; the
// result has the same bits for any number of either. Throws ArgumentError unless 0 <= train_end <=
// count, backoff > 0 and max_order + 1 tokens fit 56 bits; SharedFailure where memory is short.
std::vector<double> markov_bits(const std::uint8_t* tokens, std::int64_t train_end,
                                std::int64_t count, int alphabet, int max_order, double backoff,
                                const ProcessGroup& world = ProcessGroup::self());

}  // namespace crocuta::hyena
