#include "layers/hyena/options.h"

#include <cmath>

#include "framework/base/error.h"

namespace crocuta {

double HyenaOptions::residual_stddev() const {
  return 0.02 / std::sqrt(2.0 * static_cast<double>(n_layers));
}

HyenaOptions hyena_operator_options(const Config& config) {
  HyenaOptions options;
  options.d_model = config.get_int("d_model", kLayerSize);
  options.l_max = config.get_int("l_max", kLayerSize);
  options.filter_order = config.get_int("filter_order", options.filter_order, kLayerSize);
  options.emb_dim = config.get_int("emb_dim", options.emb_dim, {.min = 3, .max = kMaxLayerSize});
  if (options.emb_dim % 2 == 0) config.reject("emb_dim", "an odd number");
  options.w = config.get_real("w", options.w);
  options.n_layers = config.get_int("n_layers", options.n_layers, kLayerSize);
  const TensorOptions tensors = tensor_options(config);
  options.dtype = tensors.dtype;
  options.device = tensors.device;
  return options;
}

HyenaOptions hyena_block_options(const Config& config) {
  HyenaOptions options = hyena_operator_options(config);
  options.d_inner = config.get_optional_int("d_inner", kLayerSize).value_or(0);
  options.dropout = config.get_real("dropout", options.dropout, {.min = 0, .below = 1});
  return options;
}

void require_valid(const char* layer, const HyenaOptions& o) {
  require_size(layer, "d_model", o.d_model);
  require_size(layer, "l_max", o.l_max);
  require_size(layer, "filter_order", o.filter_order);
  require_size(layer, "emb_dim", o.emb_dim);
  if (o.emb_dim < 3 || o.emb_dim % 2 == 0) {
    fail<ArgumentError>(layer, "emb_dim", "an odd number of at least 3", str(o.emb_dim));
  }
  if (!std::isfinite(o.w)) fail<ArgumentError>(layer, "w", "a finite number", str(o.w));
  require_size(layer, "n_layers", o.n_layers);
  if (o.d_inner != 0) require_size(layer, "d_inner", o.d_inner);
  if (!(o.dropout >= 0 && o.dropout < 1)) {
    fail<ArgumentError>(layer, "dropout", "a probability in [0, 1)", str(o.dropout));
  }
  require_options(layer, o.tensors());
}

void require_sequence(const char* layer, const HyenaOptions& o, const ProcessGroup& cp,
                      std::int64_t local_length) {
  const std::int64_t P = cp.size();
  if (o.d_model % P != 0) {
    fail<ArgumentError>(layer, "d_model", str("a multiple of the ", P, " context-parallel ranks"),
                        str(o.d_model));
  }
  if (local_length > o.l_max / P) {
    fail<ShapeError>(layer, "x", str("a length of at most l_max ", o.l_max), str(local_length * P));
  }
}

}  // namespace crocuta
