// Checks that ops share.
#pragma once

#include <optional>

#include "framework/tensor/tensor.h"

namespace crocuta {

// Throws DTypeError or DeviceError unless argument `name` has a's dtype and device.
inline void require_same_kind(const char* op, const char* name, const Tensor& a, const Tensor& b) {
  if (a.dtype() != b.dtype()) {
    fail<DTypeError>(op, name, crocuta::name(a.dtype()), crocuta::name(b.dtype()));
  }
  if (a.device() != b.device()) {
    fail<DeviceError>(op, name, crocuta::name(a.device()), crocuta::name(b.device()));
  }
}

// The dtype that sums over elements of `dtype` are taken in: float32 for the 16-bit types.
inline DType accumulator_dtype(DType dtype) {
  return dtype == DType::bfloat16 || dtype == DType::float16 ? DType::float32 : dtype;
}

// The size of x's last dimension and the number of rows of that size. Throws ShapeError if x has no
// dimension.
struct Rows {
  std::int64_t count, size;
};
inline Rows rows_of(const char* op, const Tensor& x) {
  if (x.dim() == 0) fail<ShapeError>(op, "x", "at least one dimension", "[]");
  const std::int64_t size = x.size(-1);
  return {size == 0 ? 0 : x.numel() / size, size};
}

// Throws unless ids are int64, on x's device, and within [0, limit) or equal to `ignored`; the
// message names the first bad one. Returns how many are not ignored. Waits for the device.
std::int64_t require_ids(const char* op, const char* name, const Tensor& ids, const Tensor& x,
                         std::int64_t limit, std::optional<std::int64_t> ignored = {});

}  // namespace crocuta
