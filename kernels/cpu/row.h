// Reductions over one row of numbers, for CPU kernels.
#pragma once

#include <algorithm>
#include <cmath>

#include "kernels/types.h"

namespace crocuta::kernels {

// How many elements are worth handing to another thread.
inline constexpr std::int64_t kElementsPerTask = 16384;
inline std::int64_t rows_per_task(std::int64_t n) {
  return std::max<std::int64_t>(1, kElementsPerTask / std::max<std::int64_t>(n, 1));
}

// The sum of term(i), i < n, each of type A: side by side in lanes within short blocks, blocks in
// double, so that the error hardly grows with n. The lanes are spelled out, since a reduction that
// the compiler vectorises may be ordered differently in each copy it makes of the loop.
template <class A, class F>
total_t<A> sum_terms(std::int64_t n, F&& term) {
  constexpr std::int64_t kLanes = 16;
  constexpr std::int64_t kBlock = 512;
  total_t<A> total = 0;
  for (std::int64_t begin = 0; begin < n; begin += kBlock) {
    const std::int64_t end = std::min(n, begin + kBlock);
    A lane[kLanes] = {};
    std::int64_t i = begin;
    for (; i + kLanes <= end; i += kLanes) {
#pragma omp simd
      for (std::int64_t k = 0; k < kLanes; ++k) lane[k] += term(i + k);
    }
    for (std::int64_t k = 0; i < end; ++i, ++k) lane[k] += term(i);
    for (std::int64_t width = kLanes / 2; width > 0; width /= 2) {
      for (std::int64_t k = 0; k < width; ++k) lane[k] += lane[k + width];
    }
    total += static_cast<total_t<A>>(lane[0]);
  }
  return total;
}

// The largest of value(i), NaN left out; -infinity if there is none.
template <class A, class F>
A max_value(std::int64_t n, F&& value) {
  A largest = -static_cast<A>(HUGE_VAL);
#pragma omp simd reduction(max : largest)
  for (std::int64_t i = 0; i < n; ++i) {
    const A v = value(i);
    largest = v > largest ? v : largest;
  }
  return largest;
}

}  // namespace crocuta::kernels
