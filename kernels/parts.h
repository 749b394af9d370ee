// Reductions over the parts of a buffer: what each rank of a group has contributed.
#pragma once

#include "kernels/types.h"

namespace crocuta::kernels {

// y[i] = x[0][i] + x[1][i] + ... + x[parts - 1][i], added in this order, the 16-bit types in
// float32 and rounded once: the same bits on every device. x [parts, count], contiguous; y [count],
// which may be one of the parts; parts >= 1; all six dtypes.
template <class Device, class T>
void sum_parts(int parts, std::int64_t count, const T* x, T* y, Stream stream);

// The same with the maximum for the sum; a NaN wins.
template <class Device, class T>
void max_parts(int parts, std::int64_t count, const T* x, T* y, Stream stream);

struct SumOfParts {
  template <class A>
  CROCUTA_HOST_DEVICE A operator()(A a, A b) const {
    return a + b;
  }
};
struct MaxOfParts {
  template <class A>
  CROCUTA_HOST_DEVICE A operator()(A a, A b) const {
    return b > a || b != b ? b : a;
  }
};

}  // namespace crocuta::kernels
