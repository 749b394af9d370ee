// What the layers' options have in common: sizes, dtype, device, and the checks of them.
#pragma once

#include <cstdint>

#include "framework/base/option.h"
#include "framework/tensor/tensor.h"

namespace crocuta {

// No size of a layer exceeds this, so that products such as 4 * d_model cannot overflow.
inline constexpr std::int64_t kMaxLayerSize = std::int64_t{1} << 40;

// The range of a size in a configuration.
inline constexpr IntRange kLayerSize{.min = 1, .max = kMaxLayerSize};

// An option that is one of the four floating dtypes, see framework/base/option.h.
void read_option(const Config& config, const char* key, DType& value, Anything);
std::string option_json(DType value);

// The keys "dtype" (float32) and "device" (the current CUDA device if there is one, else the CPU).
// Throws DTypeError for a dtype that is not one of the four floats, DeviceError for a device that
// is unknown, absent or not built in.
TensorOptions tensor_options(const Config& config);

// Throws ArgumentError unless 1 <= value <= kMaxLayerSize.
void require_size(const char* layer, const char* argument, std::int64_t value);
// Throws DTypeError, listing the four, unless `options.dtype` is floating; DeviceError unless the
// device can be used.
void require_options(const char* layer, const TensorOptions& options);
// Throws DTypeError or DeviceError unless x agrees with the layer's parameters.
void require_same_options(const char* layer, const Tensor& x, const TensorOptions& options);
// Throws ShapeError unless x is [.., size].
void require_last_size(const char* layer, const Tensor& x, std::int64_t size);
// Throws DTypeError unless `ids` is int64, DeviceError unless it is on `device`.
void require_ids(const char* layer, const Tensor& ids, Device device);

}  // namespace crocuta
