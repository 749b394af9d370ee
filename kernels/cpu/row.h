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

// Reductions go side by side in lanes, which are spelled out: one that the compiler vectorises may
// be ordered differently in each copy it makes of the loop, and what OpenMP calls reduction(max)
// may start from the lowest finite number.
inline constexpr int kLanes = 16;

// op over lanes, halves onto halves.
template <int Lanes = kLanes, class A, class Op>
A fold_lanes(A* lane, Op op) {
  constexpr int kHalf = Lanes / 2;
  for (int k = 0; k < kHalf; ++k) lane[k] = op(lane[k], lane[k + kHalf]);
  if constexpr (kHalf > 1) return fold_lanes<kHalf>(lane, op);
  return lane[0];
}

// The sum of term(i), i < n, each of type A: short blocks in lanes, blocks in double, so that
// the error hardly grows with n.
template <class A, class F>
total_t<A> sum_terms(std::int64_t n, F&& term) {
  constexpr std::int64_t kBlock = 512;
  total_t<A> total = 0;
  for (std::int64_t begin = 0; begin < n; begin += kBlock) {
    const std::int64_t end = std::min(n, begin + kBlock);
    A lane[kLanes] = {};
    std::int64_t i = begin;
    for (; i + kLanes <= end; i += kLanes) {
#pragma omp simd
      for (int k = 0; k < kLanes; ++k) lane[k] += term(i + k);
    }
    for (int k = 0; i < end; ++i, ++k) lane[k] += term(i);
    total += static_cast<total_t<A>>(fold_lanes(lane, [](A a, A b) { return a + b; }));
  }
  return total;
}

// The largest of value(i), i < n, and -infinity, by larger(a, b), which takes a and b in order.
template <class A, class F, class Larger>
A largest_value(std::int64_t n, F&& value, Larger larger) {
  A lane[kLanes];
  std::fill_n(lane, kLanes, -static_cast<A>(HUGE_VAL));
  std::int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
#pragma omp simd
    for (int k = 0; k < kLanes; ++k) lane[k] = larger(lane[k], value(i + k));
  }
  for (int k = 0; i < n; ++i, ++k) lane[k] = larger(lane[k], value(i));
  return fold_lanes(lane, larger);
}

// The same with NaN left out; -infinity if there is nothing else.
template <class A, class F>
A max_value(std::int64_t n, F&& value) {
  return largest_value<A>(n, value, [](A a, A b) { return b > a ? b : a; });
}

}  // namespace crocuta::kernels
