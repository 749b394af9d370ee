#include "layers/hyena/lm.h"

#include "framework/ops/ops.h"
#include "layers/registry.h"
#include "layers/sequence_dropout.h"

namespace crocuta {
namespace {

constexpr const char* kName = "HyenaLM";

HyenaLM::Options read(const Config& config) {
  HyenaLM::Options options;
  options.vocab_size = config.get_int("vocab_size", kLayerSize);
  options.tied_head = config.get_bool("tied_head", true);
  config.get_int("n_layers", kLayerSize);  // required here, though a block has a default
  options.hyena = hyena_block_options(config);
  config.finish();
  return options;
}

const HyenaLM::Options& checked(const HyenaLM::Options& options) {
  require_size(kName, "vocab_size", options.vocab_size);
  require_valid(kName, options.hyena);
  const auto [first, count] = options.predicted;
  if (first < 0 || count < 0 || first > options.vocab_size || count > options.vocab_size - first) {
    fail<ArgumentError>(kName, "predicted", str("a range within ", options.vocab_size, " tokens"),
                        str("[", first, ", ", first, " + ", count, ")"));
  }
  return options;
}

Embedding::Options embedding_options(const HyenaLM::Options& o) {
  return {.num_embeddings = o.vocab_size,
          .embedding_dim = o.hyena.d_model,
          .dtype = o.hyena.dtype,
          .device = o.hyena.device};
}

LayerNorm::Options norm(const HyenaOptions& o) {
  return {.dim = o.d_model, .dtype = o.dtype, .device = o.device};
}

}  // namespace

HyenaLM::HyenaLM(const Options& options)
    : options_(checked(options)),
      embedding_(child<Embedding>("embedding", embedding_options(options))),
      blocks_(child<ModuleList<HyenaBlock>>("blocks", options.hyena.n_layers, options.hyena)),
      norm_(child<LayerNorm>("norm", norm(options.hyena))) {
  if (options.tied_head) return;
  head_ = &child<Linear>("head", {.in_features = options.hyena.d_model,
                                  .out_features = options.vocab_size,
                                  .bias = false,
                                  .dtype = options.hyena.dtype,
                                  .device = options.hyena.device});
}

HyenaLM::HyenaLM(const Config& config) : HyenaLM(read(config)) {}

// `length`: the samples of ids, and those before them.
void HyenaLM::require_input(const Tensor& ids, const ProcessGroup& cp, std::int64_t length) const {
  if (ids.dim() != 2) fail<ShapeError>(kName, "x", "ids [B, L]", to_string(ids.shape()));
  require_ids(kName, ids, embedding_.weight().device());
  require_sequence(kName, options_.hyena, cp, length);
}

Tensor HyenaLM::logits(const Tensor& hidden) const {
  const auto [first, count] = predicted();
  const Tensor& table = head_ != nullptr ? head_->weight() : embedding_.weight();
  return linear(hidden, count == table.size(0) ? table : narrow(table, 0, first, count));
}

Tensor HyenaLM::forward(const Tensor& ids, const ProcessGroup& cp) {
  return logits(hidden(ids, cp));
}

Tensor HyenaLM::hidden(const Tensor& ids, const ProcessGroup& cp) {
  require_input(ids, cp, ids.dim() == 2 ? ids.size(1) : 0);
  const HyenaOptions& o = options_.hyena;
  const SequenceDropout dropout{.probability = is_training() ? o.dropout : 0,
                                .first_sequence = first_sequence_,
                                .sharding = o.sharding};
  Tensor r = dropout(embedding_(ids, cp), cp);
  for (HyenaBlock& block : blocks_) r = block(r, cp);
  return norm_(r, cp);
}

Tensor HyenaLM::extend_forward(const Tensor& ids, State& state) {
  require_input(ids, ProcessGroup::self(), state.position() + ids.size(1));
  Tensor r = embedding_.extend(ids, state);
  for (HyenaBlock& block : blocks_) r = block.extend(r, state);
  return logits(norm_.extend(r, state));
}

TokenRange HyenaLM::predicted() const {
  const TokenRange all{0, options_.vocab_size};
  return options_.predicted.count > 0 ? options_.predicted : all;
}

void HyenaLM::set_first_sequence(std::int64_t number) {
  first_sequence_ = number;
  for (HyenaBlock& block : blocks_) block.set_first_sequence(number);
}

HyenaLM::Groups HyenaLM::parameter_groups() const {
  Groups groups;
  for (NamedTensor& parameter : named_parameters()) {
    bool decay = false;
    for (const char* end : {".in_proj.weight", ".out_proj.weight", ".fc1.weight", ".fc2.weight"}) {
      decay = decay || parameter.name.ends_with(end);
    }
    (decay ? groups.decay : groups.no_decay).push_back(std::move(parameter));
  }
  return groups;
}

CROCUTA_REGISTER_LAYER("HyenaLM", HyenaLM);

}  // namespace crocuta
