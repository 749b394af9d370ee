// Filling, and copying between layouts and element types.
#pragma once

#include "kernels/strided.h"

namespace crocuta::kernels {

// value as To: 16-bit floats by way of float.
template <class To, class From>
CROCUTA_HOST_DEVICE inline To convert(From value) {
  if constexpr (std::is_same_v<To, From>) {
    return value;
  } else {
    return To(static_cast<accumulator_t<To>>(static_cast<accumulator_t<From>>(value)));
  }
}

// y[i] = value. y [n]; all six dtypes.
template <class Device, class T>
void fill(std::int64_t n, T value, T* y, Stream stream);

// y[i] = first + i. y [n]; all six dtypes.
template <class Device, class T>
void iota(std::int64_t n, T first, T* y, Stream stream);

// y = x element by element, converted. Operand 0 of `shape` is y, operand 1 is x. All six dtypes.
template <class Device, class To, class From>
void copy(const StridedShape<2>& shape, To* y, const From* x, Stream stream);

}  // namespace crocuta::kernels
