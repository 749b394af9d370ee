#include "layers/sequence_dropout.h"

#include <vector>

#include "framework/ops/ops.h"
#include "framework/tensor/random.h"

namespace crocuta {

Tensor SequenceDropout::operator()(const Tensor& x, const ProcessGroup& cp) const {
  if (probability == 0) return x;
  const RandomKey key = default_generator().next();
  const std::int64_t B = x.size(0), part = x.size(1), L = part * cp.size();

  // Sequences one after the other are one long list of rows, of which x has some.
  Shard shard{.dim = 0, .length = (first_sequence + B) * L, .first = first_sequence * L};
  if (cp.size() > 1) {
    const auto positions =
        local_positions(L, cp, sharding, Device::cpu()).to_vector<std::int64_t>();
    std::vector<std::int64_t> rows;
    rows.reserve(static_cast<std::size_t>(B * part));
    for (std::int64_t b = 0; b < B; ++b) {
      for (const std::int64_t t : positions) rows.push_back((first_sequence + b) * L + t);
    }
    shard.positions = from_vector(rows, {B * part}, x.device());
  }
  const Tensor flat = reshape(x, {B * part, x.size(2)});
  return reshape(dropout(flat, probability, key, shard), x.shape());
}

}  // namespace crocuta
