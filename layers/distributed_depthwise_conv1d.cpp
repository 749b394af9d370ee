#include "layers/distributed_depthwise_conv1d.h"

#include <cmath>

#include "framework/ops/ops.h"
#include "framework/tensor/random.h"
#include "layers/halo_conv.h"
#include "layers/registry.h"

namespace crocuta {
namespace {

constexpr const char* kName = "DistributedDepthwiseConv1d";
constexpr const char* kDTypes = "float32, float64, bfloat16 or float16";

// Sizes are left to checked(), so that they are refused in the same words from C++ and from JSON.
DistributedDepthwiseConv1d::Options read(const Config& config) {
  DistributedDepthwiseConv1d::Options options;
  options.hidden_dim = config.get_int("hidden_dim");
  options.kernel_size = config.get_int("kernel_size");
  options.causal = config.get_bool("causal", false);
  options.num_groups = config.get_optional_int("num_groups");
  options.bias = config.get_bool("bias", false);
  const std::string dtype = config.get_string("dtype", "float32");
  try {
    options.dtype = parse_dtype(dtype);
  } catch (const DTypeError&) {
    fail<DTypeError>(kName, "dtype", kDTypes, printable(dtype));
  }
  if (config.has("device")) options.device = parse_device(config.get_string("device"), kName);
  config.finish();
  return options;
}

DistributedDepthwiseConv1d::Options checked(DistributedDepthwiseConv1d::Options options) {
  const auto at_least_one = [](const char* argument, std::int64_t value) {
    if (value < 1) fail<ArgumentError>(kName, argument, "at least 1", str(value));
  };
  at_least_one("hidden_dim", options.hidden_dim);
  at_least_one("kernel_size", options.kernel_size);
  if (!options.num_groups) options.num_groups = options.hidden_dim;
  const std::int64_t groups = *options.num_groups;
  at_least_one("num_groups", groups);
  if (options.hidden_dim % groups != 0) {
    fail<ArgumentError>(kName, "num_groups", str("a divisor of hidden_dim ", options.hidden_dim),
                        str(groups));
  }
  std::int64_t bytes;
  if (__builtin_mul_overflow(groups, options.kernel_size, &bytes) ||
      __builtin_mul_overflow(bytes, std::int64_t{8}, &bytes)) {
    fail<ArgumentError>(kName, "kernel_size",
                        str("a size whose product with num_groups ", groups, " can be counted"),
                        str(options.kernel_size));
  }
  if (!is_floating(options.dtype)) {
    fail<DTypeError>(kName, "dtype", kDTypes, name(options.dtype));
  }
  require_available(kName, options.device);
  return options;
}

}  // namespace

DistributedDepthwiseConv1d::DistributedDepthwiseConv1d(const Options& options)
    : options_(checked(options)),
      weight_(param("weight",
                    empty({num_groups(), kernel_size()}, {options_.dtype, options_.device}))) {
  if (options_.bias) bias_ = param("bias", empty({num_groups()}, weight_.options()));
  init_weights();
}

DistributedDepthwiseConv1d::DistributedDepthwiseConv1d(const Config& config)
    : DistributedDepthwiseConv1d(read(config)) {}

void DistributedDepthwiseConv1d::init_weights() {
  const NoGrad no_grad;
  const double bound = 1 / std::sqrt(static_cast<double>(kernel_size()));
  uniform_(weight_, -bound, bound);
  if (bias_.defined()) uniform_(bias_, -bound, bound);
}

void DistributedDepthwiseConv1d::require_input(const Tensor& x, const ProcessGroup& cp) const {
  const std::int64_t ranks = cp.size();
  if (hidden_dim() % ranks != 0) {
    fail<ArgumentError>(kName, "hidden_dim", str("a multiple of the context-parallel size ", ranks),
                        str(hidden_dim()));
  }
  const std::int64_t channels = hidden_dim() / ranks;
  if (x.dim() != 3) {
    fail<ShapeError>(kName, "x", str("[B, ", channels, ", L]"), to_string(x.shape()));
  }
  if (x.size(1) != channels) {
    fail<ShapeError>(
        kName, "x",
        str("[B, ", channels, ", L], ", channels, " channels being hidden_dim ", hidden_dim(),
            " / context-parallel size ", ranks),
        str(to_string(x.shape()), " with ", x.size(1), " channels on rank ", cp.rank()));
  }
  if (x.dtype() != dtype()) {
    fail<DTypeError>(kName, "x", str("the weight's dtype ", dtype()), name(x.dtype()));
  }
  if (x.device() != device()) {
    fail<DeviceError>(kName, "x", str("the weight's device ", device()), name(x.device()));
  }
}

Tensor DistributedDepthwiseConv1d::forward(const Tensor& x, const ProcessGroup& cp) {
  require_input(x, cp);
  const std::int64_t channels = hidden_dim() / cp.size();
  return depthwise_conv1d(
      x, weight_, bias_,
      {.causal = causal(), .hidden_dim = hidden_dim(), .channel_offset = cp.rank() * channels});
}

Tensor DistributedDepthwiseConv1d::on_sequence_shards(const Tensor& x, const ProcessGroup& cp,
                                                      Sharding sharding) {
  if (!causal()) {
    fail<ArgumentError>(kName, "causal", "true for sequence shards", "false");
  }
  require_input(x, ProcessGroup::self());
  return observed(
      x, [&](const Tensor& input) { return halo_conv(input, weight_, bias_, cp, sharding); });
}

Tensor DistributedDepthwiseConv1d::extend_forward(const Tensor& x, State& state) {
  if (!causal()) {
    throw ArgumentError(str("extend: ", kName, " with causal false looks at samples to come"));
  }
  require_input(x, ProcessGroup::self());
  // The last K - 1 samples stand before the new ones: zeros at first, as forward() pads.
  const std::int64_t reach = kernel_size() - 1;
  const std::vector<Tensor>& kept = state.of(*this).constant;
  const Tensor before =
      kept.empty() ? zeros({x.size(0), hidden_dim(), reach}, x.options()) : kept[0];
  const Tensor all = cat({before, x}, 2);
  const Tensor y =
      depthwise_conv1d(all, weight_, bias_, {.causal = true, .hidden_dim = hidden_dim()});
  state.change(*this).constant = {narrow(all, 2, x.size(2), reach).clone()};
  return narrow(y, 2, reach, x.size(2));
}

CROCUTA_REGISTER_LAYER("DistributedDepthwiseConv1d", DistributedDepthwiseConv1d);

}  // namespace crocuta
