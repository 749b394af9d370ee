#include "layers/mlp.h"

#include "framework/ops/ops.h"
#include "layers/registry.h"

namespace crocuta {
namespace {

constexpr const char* kName = "MLP";

MLP::Options read(const Config& config) {
  const TensorOptions tensors = tensor_options(config);
  MLP::Options options{.d_model = config.get_int("d_model", kLayerSize),
                       .dtype = tensors.dtype,
                       .device = tensors.device};
  options.d_inner = config.get_optional_int("d_inner", kLayerSize).value_or(0);
  config.finish();
  return options;
}

MLP::Options complete(MLP::Options options) {
  require_size(kName, "d_model", options.d_model);
  if (options.d_inner == 0) options.d_inner = 4 * options.d_model;
  require_size(kName, "d_inner", options.d_inner);
  return options;
}

Linear::Options fc1(const MLP::Options& o) {
  return {
      .in_features = o.d_model, .out_features = o.d_inner, .dtype = o.dtype, .device = o.device};
}

Linear::Options fc2(const MLP::Options& o) {
  return {.in_features = o.d_inner,
          .out_features = o.d_model,
          .init_stddev = o.fc2_init_stddev,
          .dtype = o.dtype,
          .device = o.device};
}

}  // namespace

MLP::MLP(const Options& options)
    : fc1_(child<Linear>("fc1", fc1(complete(options)))),
      fc2_(child<Linear>("fc2", fc2(complete(options)))) {}

MLP::MLP(const Config& config) : MLP(read(config)) {}

Tensor MLP::forward(const Tensor& x, const ProcessGroup& cp) {
  require_last_size(kName, x, fc1_.weight().size(1));
  require_same_options(kName, x, fc1_.weight().options());
  return fc2_(gelu(fc1_(x, cp)), cp);
}

Tensor MLP::extend_forward(const Tensor& x, State& state) {
  return fc2_.extend(gelu(fc1_.extend(x, state)), state);
}

CROCUTA_REGISTER_LAYER("MLP", MLP);

}  // namespace crocuta
