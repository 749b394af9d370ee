// Equality to the last bit.
#pragma once

#include <cstring>

#include "framework/tensor/tensor.h"

namespace crocuta::test {

// Same dtype, shape and bits, wherever the two lie.
inline bool same_bits(const Tensor& a, const Tensor& b) {
  if (a.dtype() != b.dtype() || a.shape() != b.shape()) return false;
  const Tensor x = a.detach().to(Device::cpu()).contiguous();
  const Tensor y = b.detach().to(Device::cpu()).contiguous();
  const std::size_t bytes = static_cast<std::size_t>(x.numel()) * size_of(x.dtype());
  return bytes == 0 || std::memcmp(x.raw_data(), y.raw_data(), bytes) == 0;
}

}  // namespace crocuta::test
