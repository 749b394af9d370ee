// Checks that ops share.
#pragma once

#include "framework/tensor.h"

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

}  // namespace crocuta
