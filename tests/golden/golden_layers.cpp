// The families that are layers, among them the whole model.
#include "framework/base/json.h"
#include "layers/hyena/filter.h"
#include "tests/golden/golden.h"
#include "tests/layers/layer_checks.h"

namespace crocuta::test {
namespace {

Config in_float64(const GoldenCase& c) {
  Config config = c.config;
  config.set("dtype", "float64");
  config.set("device", json::quote(name(default_device())));
  return config;
}

std::function<void(const GoldenCase&)> layer(const std::string& name) {
  return [name](const GoldenCase& c) {
    const auto layer = layer_from_json(name, in_float64(c).dump());
    c.check([&](const std::vector<Tensor>& in) { return layer->forward(in[0]); }, layer.get());
  };
}

void check_filter(const GoldenCase& c) {
  const Config config = in_float64(c);
  HyenaFilter filter(hyena_operator_options(config));
  const std::int64_t length = config.get_int("length");
  c.check([&](const std::vector<Tensor>&) { return filter.taps(length); }, &filter);
}

}  // namespace

GoldenChecks golden_layer_checks() {
  return {
      {"depthwise_conv1d", layer("DistributedDepthwiseConv1d")},
      {"embedding", layer("Embedding")},
      {"hyena_block", layer("HyenaBlock")},
      {"hyena_filter", check_filter},
      {"hyena_lm", layer("HyenaLM")},
      {"hyena_operator", layer("HyenaOperator")},
      {"layer_norm", layer("LayerNorm")},
      {"linear", layer("Linear")},
      {"mlp", layer("MLP")},
  };
}

}  // namespace crocuta::test
