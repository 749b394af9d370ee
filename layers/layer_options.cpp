#include "layers/layer_options.h"

#include "framework/base/error.h"

namespace crocuta {

void read_option(const Config& config, const char* key, DType& value, Anything) {
  value = parse_dtype(
      config.get_choice(key, name(value), {"float32", "float64", "bfloat16", "float16"}));
}

std::string option_json(DType value) {
  return option_json(std::string(name(value)));
}

TensorOptions tensor_options(const Config& config) {
  TensorOptions options;
  config.get_string("dtype", "");  // throws ArgumentError for what is no text at all
  try {
    read_option(config, "dtype", options.dtype, Anything());
  } catch (const ArgumentError& error) {
    throw DTypeError(error.what());
  }
  options.device =
      parse_device(config.get_string("device", name(default_device())), "configuration");
  return options;
}

void require_size(const char* layer, const char* argument, std::int64_t value) {
  if (value >= 1 && value <= kMaxLayerSize) return;
  fail<ArgumentError>(layer, argument, str("a size from 1 to ", kMaxLayerSize), str(value));
}

void require_options(const char* layer, const TensorOptions& options) {
  if (!is_floating(options.dtype)) {
    fail<DTypeError>(layer, "dtype", "float32, float64, bfloat16 or float16", str(options.dtype));
  }
  require_available(layer, options.device);
}

void require_same_options(const char* layer, const Tensor& x, const TensorOptions& options) {
  if (x.dtype() != options.dtype) {
    fail<DTypeError>(layer, "x", str("the parameters' dtype ", options.dtype), str(x.dtype()));
  }
  if (x.device() != options.device) {
    fail<DeviceError>(layer, "x", str("the parameters' device ", options.device), str(x.device()));
  }
}

void require_last_size(const char* layer, const Tensor& x, std::int64_t size) {
  if (x.dim() >= 1 && x.size(-1) == size) return;
  fail<ShapeError>(layer, "x", str("[.., ", size, "]"), to_string(x.shape()));
}

void require_ids(const char* layer, const Tensor& ids, Device device) {
  if (ids.dtype() != DType::int64) {
    fail<DTypeError>(layer, "x", "int64 ids", str(ids.dtype()));
  }
  if (ids.device() != device) {
    fail<DeviceError>(layer, "x", str("the parameters' device ", device), str(ids.device()));
  }
}

}  // namespace crocuta
