// Scratch memory for kernels.
#pragma once

#include <cstddef>

#include "framework/tensor/tensor.h"

namespace crocuta {

// At least `bytes` bytes on `device`, aligned to 64; freed with the tensor.
inline Tensor workspace(std::size_t bytes, Device device) {
  const auto words = static_cast<std::int64_t>((bytes + 7) / 8);
  return empty({words}, {.dtype = DType::int64, .device = device});
}

}  // namespace crocuta
