#include "layers/hyena/block.h"

#include "framework/ops/ops.h"
#include "layers/registry.h"
#include "layers/sequence_dropout.h"

namespace crocuta {
namespace {

constexpr const char* kName = "HyenaBlock";

HyenaOptions read(const Config& config) {
  const HyenaOptions options = hyena_block_options(config);
  config.finish();
  return options;
}

const HyenaOptions& checked(const HyenaOptions& options) {
  require_valid(kName, options);
  return options;
}

LayerNorm::Options norm(const HyenaOptions& o) {
  return {.dim = o.d_model, .dtype = o.dtype, .device = o.device};
}

MLP::Options mlp(const HyenaOptions& o) {
  return {.d_model = o.d_model,
          .d_inner = o.d_inner,
          .fc2_init_stddev = o.residual_stddev(),
          .dtype = o.dtype,
          .device = o.device};
}

}  // namespace

HyenaBlock::HyenaBlock(const HyenaOptions& options)
    : options_(checked(options)),
      norm1_(child<LayerNorm>("norm1", norm(options))),
      mixer_(child<HyenaOperator>("mixer", options)),
      norm2_(child<LayerNorm>("norm2", norm(options))),
      mlp_(child<MLP>("mlp", mlp(options))) {}

HyenaBlock::HyenaBlock(const Config& config) : HyenaBlock(read(config)) {}

Tensor HyenaBlock::forward(const Tensor& x, const ProcessGroup& cp) {
  const SequenceDropout dropout{.probability = is_training() ? options_.dropout : 0,
                                .first_sequence = first_sequence_,
                                .sharding = options_.sharding};
  const Tensor r = x + dropout(mixer_(norm1_(x, cp), cp), cp);
  return r + dropout(mlp_(norm2_(r, cp), cp), cp);
}

Tensor HyenaBlock::extend_forward(const Tensor& x, State& state) {
  const Tensor r = x + mixer_.extend(norm1_.extend(x, state), state);
  return r + mlp_.extend(norm2_.extend(r, state), state);
}

CROCUTA_REGISTER_LAYER("HyenaBlock", HyenaBlock);

}  // namespace crocuta
