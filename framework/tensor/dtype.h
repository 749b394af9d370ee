// Element types.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <string_view>

#include "kernels/types.h"

namespace crocuta {

enum class DType : std::uint8_t { float32, float64, bfloat16, float16, int64, int32 };

// Bytes per element.
std::size_t size_of(DType dtype);
// "float32", "bfloat16", ...
std::string_view name(DType dtype);
// The inverse of name(); throws DTypeError listing the names.
DType parse_dtype(std::string_view text);
// True for the four types that carry gradients.
bool is_floating(DType dtype);
std::ostream& operator<<(std::ostream& out, DType dtype);

// dtype_of<float> == DType::float32, and so on.
template <class T>
inline constexpr DType dtype_of = [] {
  if constexpr (std::is_same_v<T, float>)
    return DType::float32;
  else if constexpr (std::is_same_v<T, double>)
    return DType::float64;
  else if constexpr (std::is_same_v<T, crocuta::bfloat16>)
    return DType::bfloat16;
  else if constexpr (std::is_same_v<T, crocuta::float16>)
    return DType::float16;
  else if constexpr (std::is_same_v<T, std::int64_t>)
    return DType::int64;
  else {
    static_assert(std::is_same_v<T, std::int32_t>, "not an element type");
    return DType::int32;
  }
}();

}  // namespace crocuta
