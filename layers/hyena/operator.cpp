#include "layers/hyena/operator.h"

#include "framework/ops/ops.h"
#include "layers/halo_conv.h"
#include "layers/hyena/online_conv.h"
#include "layers/registry.h"

namespace crocuta {
namespace {

constexpr const char* kName = "HyenaOperator";

HyenaOptions read(const Config& config) {
  const HyenaOptions options = hyena_operator_options(config);
  config.finish();
  return options;
}

const HyenaOptions& checked(const HyenaOptions& options) {
  require_valid(kName, options);
  return options;
}

Linear::Options projection(const HyenaOptions& o, std::int64_t out_features, double stddev) {
  return {.in_features = o.d_model,
          .out_features = out_features,
          .init_stddev = stddev,
          .dtype = o.dtype,
          .device = o.device};
}

DistributedDepthwiseConv1d::Options short_conv(const HyenaOptions& o) {
  return {.hidden_dim = 3 * o.d_model,
          .kernel_size = 3,
          .causal = true,
          .bias = true,
          .dtype = o.dtype,
          .device = o.device};
}

}  // namespace

HyenaOperator::HyenaOperator(const HyenaOptions& options)
    : options_(checked(options)),
      in_proj_(child<Linear>("in_proj", projection(options, 3 * options.d_model, 0.02))),
      short_conv_(child<DistributedDepthwiseConv1d>("short_conv", short_conv(options))),
      out_proj_(child<Linear>("out_proj",
                              projection(options, options.d_model, options.residual_stddev()))),
      filter_(child<HyenaFilter>("filter", options)) {}

HyenaOperator::HyenaOperator(const Config& config) : HyenaOperator(read(config)) {}

// `length`: the samples of x, and those before them.
void HyenaOperator::require_input(const Tensor& x, const ProcessGroup& cp,
                                  std::int64_t length) const {
  if (x.dim() != 3 || x.size(2) != options_.d_model) {
    fail<ShapeError>(kName, "x", str("[B, L, ", options_.d_model, "]"), to_string(x.shape()));
  }
  require_same_options(kName, x, in_proj_.weight().options());
  require_sequence(kName, options_, cp, length);
}

Tensor HyenaOperator::forward(const Tensor& x, const ProcessGroup& cp) {
  require_input(x, cp, x.dim() == 3 ? x.size(1) : 0);
  const Tensor projected = linear_to_channels(x, in_proj_.weight(), in_proj_.bias());
  const Tensor h = takes_halo(x.size(1), cp) ? by_halo(projected, cp) : by_channels(projected, cp);
  return linear_from_channels(h, out_proj_.weight(), out_proj_.bias());
}

bool HyenaOperator::takes_halo(std::int64_t local_length, const ProcessGroup& cp) const {
  const CpAlgorithm wanted = options_.cp_algorithm;
  if (wanted != CpAlgorithm::automatic) return wanted == CpAlgorithm::halo;
  return cp.size() > 1 && has_halo(local_length, short_conv_.kernel_size(), options_.sharding);
}

Tensor HyenaOperator::by_channels(const Tensor& projected, const ProcessGroup& cp) {
  const Tensor streams =
      short_conv_(seq_to_channel(projected, cp, options_.sharding), cp);  // [B, 3d/P, L]
  const Tensor h = hyena_conv(streams, filter_.taps(streams.size(2), cp), filter_.local_skip(cp));
  return channel_to_seq(h, cp, options_.sharding);
}

Tensor HyenaOperator::by_halo(const Tensor& projected, const ProcessGroup& cp) {
  const Sharding sharding = options_.sharding;
  const Tensor streams = short_conv_.on_sequence_shards(projected, cp, sharding);  // [B, 3d, L/P]
  const Tensor split = reshape(streams, {streams.size(0), options_.d_model, 3, streams.size(2)});
  const Tensor z = seq_to_channel(select(split, 2, 1) * select(split, 2, 2), cp, sharding);
  const Tensor h = fft_conv(z, filter_.taps(z.size(2), cp), filter_.local_skip(cp));
  return select(split, 2, 0) * channel_to_seq(h, cp, sharding);
}

Tensor HyenaOperator::extend_forward(const Tensor& x, State& state) {
  const std::int64_t m = x.size(1);
  require_input(x, ProcessGroup::self(), state.position() + m);
  const Tensor projected = linear_to_channels(x, in_proj_.weight(), in_proj_.bias());
  const Tensor streams = short_conv_.extend(projected, state);  // [B, 3d, m]
  // In the dtype that the convolution is computed in, as within hyena_conv().
  const DType wide = x.dtype() == DType::float64 ? DType::float64 : DType::float32;
  const Tensor split = reshape(streams.to(wide), {x.size(0), options_.d_model, 3, m});
  const Tensor z = select(split, 2, 1) * select(split, 2, 2);
  const Tensor skip = unsqueeze(filter_.local_skip(), 1);
  const Tensor h = online_conv(
      z, state.position(), options_.l_max, [this](std::int64_t n) { return filter_.taps(n); },
      state.change(*this));
  const Tensor y = (select(split, 2, 0) * (h + skip * z)).to(x.dtype());
  return linear_from_channels(y, out_proj_.weight(), out_proj_.bias());
}

Tensor interleave_streams(const Tensor& blocks) {
  if (blocks.dim() < 1 || blocks.size(0) % 3 != 0) {
    fail<ShapeError>("interleave_streams", "blocks", "[3d, ..]", to_string(blocks.shape()));
  }
  const Shape shape = blocks.shape();
  Shape split = shape;
  split[0] /= 3;
  split.insert(split.begin(), 3);
  return reshape(transpose(reshape(blocks, split), 0, 1), shape).contiguous();
}

StateDict interleave_streams(const StateDict& state) {
  StateDict out;
  for (const auto& [name, tensor] : state) {
    bool streams = false;
    for (const char* end :
         {"in_proj.weight", "in_proj.bias", "short_conv.weight", "short_conv.bias"}) {
      streams = streams || name == end || name.ends_with(str(".", end));
    }
    out[name] = streams ? interleave_streams(tensor) : tensor;
  }
  return out;
}

CROCUTA_REGISTER_LAYER("HyenaOperator", HyenaOperator);

}  // namespace crocuta
