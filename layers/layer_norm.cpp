#include "layers/layer_norm.h"

#include <cmath>

#include "framework/ops/ops.h"
#include "layers/registry.h"

namespace crocuta {
namespace {

constexpr const char* kName = "LayerNorm";

LayerNorm::Options read(const Config& config) {
  const TensorOptions tensors = tensor_options(config);
  LayerNorm::Options options{.dim = config.get_int("dim", kLayerSize),
                             .eps = config.get_real("eps", 1e-5, {.min = 0}),
                             .dtype = tensors.dtype,
                             .device = tensors.device};
  config.finish();
  return options;
}

Tensor init_weight(const LayerNorm::Options& o) {
  require_size(kName, "dim", o.dim);
  if (!(o.eps >= 0) || !std::isfinite(o.eps)) {
    fail<ArgumentError>(kName, "eps", "a number >= 0", str(o.eps));
  }
  require_options(kName, {o.dtype, o.device});
  return ones({o.dim}, {o.dtype, o.device});
}

}  // namespace

LayerNorm::LayerNorm(const Options& options)
    : eps_(options.eps),
      weight_(param("weight", init_weight(options))),
      bias_(param("bias", zeros({options.dim}, weight_.options()))) {}

LayerNorm::LayerNorm(const Config& config) : LayerNorm(read(config)) {}

Tensor LayerNorm::forward(const Tensor& x, const ProcessGroup& /*cp*/) {
  require_last_size(kName, x, weight_.size(0));
  require_same_options(kName, x, weight_.options());
  return layer_norm(x, weight_, bias_, eps_);
}

CROCUTA_REGISTER_LAYER("LayerNorm", LayerNorm);

}  // namespace crocuta
