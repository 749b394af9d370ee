#include "layers/linear.h"

#include <cmath>

#include "framework/ops/ops.h"
#include "framework/tensor/random.h"
#include "layers/registry.h"

namespace crocuta {
namespace {

constexpr const char* kName = "Linear";

Linear::Options read(const Config& config) {
  const TensorOptions tensors = tensor_options(config);
  Linear::Options options{.in_features = config.get_int("in_features", kLayerSize),
                          .out_features = config.get_int("out_features", kLayerSize),
                          .bias = config.get_bool("bias", true),
                          .dtype = tensors.dtype,
                          .device = tensors.device};
  config.finish();
  return options;
}

Tensor init_weight(const Linear::Options& o) {
  require_size(kName, "in_features", o.in_features);
  require_size(kName, "out_features", o.out_features);
  if (!(o.init_stddev >= 0) || !std::isfinite(o.init_stddev)) {
    fail<ArgumentError>(kName, "init_stddev", "a number >= 0", str(o.init_stddev));
  }
  const TensorOptions tensors{o.dtype, o.device};
  require_options(kName, tensors);
  const Tensor weight = empty({o.out_features, o.in_features}, tensors);
  normal_(weight, 0, o.init_stddev);
  return weight;
}

}  // namespace

Linear::Linear(const Options& options) : weight_(param("weight", init_weight(options))) {
  if (options.bias) bias_ = param("bias", zeros({options.out_features}, weight_.options()));
}

Linear::Linear(const Config& config) : Linear(read(config)) {}

Tensor Linear::forward(const Tensor& x, const ProcessGroup& /*cp*/) {
  require_last_size(kName, x, weight_.size(1));
  require_same_options(kName, x, weight_.options());
  return linear(x, weight_, bias_);
}

CROCUTA_REGISTER_LAYER("Linear", Linear);

}  // namespace crocuta
