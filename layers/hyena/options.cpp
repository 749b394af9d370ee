#include "layers/hyena/options.h"

#include <array>
#include <cmath>

#include "framework/base/error.h"

namespace crocuta {

namespace {

constexpr std::array<const char*, 3> kAlgorithms = {"auto", "halo", "channels"};

std::string name(CpAlgorithm algorithm) {
  return kAlgorithms.at(static_cast<std::size_t>(algorithm));
}

}  // namespace

void read_option(const Config& config, const char* key, CpAlgorithm& value,
                 const Choices& choices) {
  const std::string text = config.get_choice(key, name(value), choices.texts);
  for (std::size_t i = 0; i < kAlgorithms.size(); ++i) {
    if (text == kAlgorithms[i]) value = static_cast<CpAlgorithm>(i);
  }
}

void require_option(const char*, const char*, CpAlgorithm, const Choices&) {}  // it can be no other

std::string option_json(CpAlgorithm value) {
  return option_json(name(value));
}

namespace {

auto reader(const Config& config) {
  return [&config](const char* key, auto& value, const auto& range, const char*) {
    read_option(config, key, value, range);
  };
}

}  // namespace

double HyenaOptions::residual_stddev() const {
  return 0.02 / std::sqrt(2.0 * static_cast<double>(n_layers));
}

HyenaOptions hyena_operator_options(const Config& config) {
  HyenaOptions options;
  for_each_operator_option(options, reader(config));
  if (options.emb_dim % 2 == 0) config.reject("emb_dim", "an odd number");
  options.l_max = config.get_int("l_max", kLayerSize);
  const TensorOptions tensors = tensor_options(config);
  options.dtype = tensors.dtype;
  options.device = tensors.device;
  return options;
}

HyenaOptions hyena_block_options(const Config& config) {
  HyenaOptions options = hyena_operator_options(config);
  for_each_block_option(options, reader(config));
  return options;
}

void require_valid(const char* layer, const HyenaOptions& o) {
  const auto check = [&](const char* key, const auto& value, const auto& range, const char*) {
    require_option(layer, key, value, range);
  };
  for_each_operator_option(o, check);
  for_each_block_option(o, check);
  if (o.emb_dim % 2 == 0) {
    fail<ArgumentError>(layer, "emb_dim", "an odd number", str(o.emb_dim));
  }
  require_size(layer, "l_max", o.l_max);
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
