#include "gated_mlp.h"

#include <crocuta/ops.h>

namespace example {
namespace {

constexpr const char* kName = "GatedMLP";

GatedMLP::Options read(const Config& config) {
  const TensorOptions tensors = tensor_options(config);
  const GatedMLP::Options options{.d_model = config.get_int("d_model", kLayerSize),
                                  .d_inner = config.get_int("d_inner", kLayerSize),
                                  .dtype = tensors.dtype,
                                  .device = tensors.device};
  config.finish();
  return options;
}

GatedMLP::Options checked(const GatedMLP::Options& o) {
  require_size(kName, "d_model", o.d_model);
  require_size(kName, "d_inner", o.d_inner);
  require_options(kName, {o.dtype, o.device});
  return o;
}

Linear::Options map(std::int64_t from, std::int64_t to, const GatedMLP::Options& o) {
  return {
      .in_features = from, .out_features = to, .bias = false, .dtype = o.dtype, .device = o.device};
}

}  // namespace

GatedMLP::GatedMLP(const Options& options)
    : gate_(child<Linear>("gate", map(checked(options).d_model, options.d_inner, options))),
      up_(child<Linear>("up", map(options.d_model, options.d_inner, options))),
      down_(child<Linear>("down", map(options.d_inner, options.d_model, options))) {}

GatedMLP::GatedMLP(const Config& config) : GatedMLP(read(config)) {}

Tensor GatedMLP::forward(const Tensor& x, const ProcessGroup& cp) {
  require_last_size(kName, x, gate_.weight().size(1));
  require_same_options(kName, x, gate_.weight().options());
  return down_(silu(gate_(x, cp)) * up_(x, cp), cp);
}

CROCUTA_REGISTER_LAYER("GatedMLP", GatedMLP);

}  // namespace example
