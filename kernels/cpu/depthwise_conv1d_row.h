// What the row kernels of the depthwise convolution share. A row is one channel of one sample; a
// kernel works on the part [begin, end) of one.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/cpu/simd.h"
#include "kernels/types.h"

namespace crocuta::kernels {

// Samples whose products a lane adds up before the lanes are added in double.
inline constexpr std::int64_t kDepthwiseBlock = 2048;

// Taps as read by y[t] = sum_k tap(k) * x[t + k - left]. Read backwards it is the filter that takes
// dy to dx.
template <class T>
struct Filter {
  using A = accumulator_t<T>;

  const T* taps;
  std::int64_t stride;  // 1, or -1 when read backwards
  std::int64_t count;
  std::int64_t left;

  A tap(std::int64_t k) const { return static_cast<A>(taps[k * stride]); }
  Filter backwards() const {
    return {taps + (count - 1) * stride, -stride, count, count - 1 - left};
  }
};

// y[t] without the bias, alone: only taps that meet a sample of x [length] are used.
template <class T>
CROCUTA_INLINE accumulator_t<T> correlate_one(const Filter<T>& filter, const T* x,
                                              std::int64_t length, std::int64_t t) {
  using A = accumulator_t<T>;
  const std::int64_t first = t - filter.left;
  const std::int64_t stop = std::min(filter.count, length - first);
  A sum = 0;
  for (std::int64_t k = std::max<std::int64_t>(0, -first); k < stop; ++k) {
    sum = simd::multiply_add(filter.tap(k), static_cast<A>(x[first + k]), sum);
  }
  return sum;
}

// y[begin, end), one by one.
template <class T>
void correlate_each(const Filter<T>& filter, const T* x, std::int64_t length, const T* bias, T* y,
                    std::int64_t begin, std::int64_t end) {
  using A = accumulator_t<T>;
  for (std::int64_t t = begin; t < end; ++t) {
    A sum = correlate_one(filter, x, length, t);
    if (bias) sum += static_cast<A>(*bias);
    y[t] = static_cast<T>(sum);
  }
}

// Calls step(t, first, last, whole) for vectors of Lanes elements at t that cover [begin, end),
// which holds at least one: a first vector at `begin`, vectors from `aligned` on, and a last one at
// the end. Those two may overlap their neighbours; lanes [first, last) are covered by this vector
// alone. `whole` is a compile-time true where that is all of them.
template <int Lanes, class Step>
CROCUTA_INLINE void cover(std::int64_t begin, std::int64_t end, std::int64_t aligned, Step&& step) {
  std::int64_t t = begin;
  if (aligned > begin && aligned + Lanes <= end) {
    step(begin, std::int64_t{0}, aligned - begin, std::false_type{});
    t = aligned;
  }
  for (; t + Lanes <= end; t += Lanes) {
    step(t, std::int64_t{0}, std::int64_t{Lanes}, std::true_type{});
  }
  if (t < end) step(end - Lanes, t - (end - Lanes), std::int64_t{Lanes}, std::false_type{});
}

// How the rows are cut for the threads: into tiles of equal length, chosen by the row's length
// alone so that results do not depend on the number of threads.
struct RowTiles {
  static constexpr std::int64_t kLongest = 16384;

  explicit RowTiles(std::int64_t row_length)
      : length(row_length), count((row_length + kLongest - 1) / kLongest) {
    if (count > 0) tile = ((length + count - 1) / count + 63) / 64 * 64;
  }
  std::int64_t begin(std::int64_t i) const { return std::min(i * tile, length); }
  std::int64_t end(std::int64_t i) const { return begin(i + 1); }

  std::int64_t length, count, tile = 0;
};

// True if vectors from `aligned` on can be streamed to p: whole ones, on their boundaries.
template <class T>
CROCUTA_INLINE bool can_stream(const T* p, std::int64_t aligned, std::int64_t end) {
  return simd::kCanStream && std::is_same_v<T, accumulator_t<T>> &&
         reinterpret_cast<std::uintptr_t>(p + aligned) % simd::kBytes == 0 &&
         aligned + simd::kLanes<accumulator_t<T>> <= end;
}

// The first t >= begin at which p + t is aligned for whole vectors of Bytes bytes.
template <int Bytes, class T>
CROCUTA_INLINE std::int64_t first_aligned(const T* p, std::int64_t begin) {
  const auto address = reinterpret_cast<std::uintptr_t>(p + begin);
  const auto missing = (Bytes - address % Bytes) % Bytes;
  return begin + static_cast<std::int64_t>(missing / sizeof(T));
}

// The sum of x[begin, end), a block at most.
template <class T>
double sum_block(const T* x, std::int64_t begin, std::int64_t end) {
  using A = accumulator_t<T>;
  constexpr std::int64_t N = simd::kSums<A>;
  simd::Sums<A> lanes;
  std::int64_t t = begin;
  for (; t + N <= end; t += N) {
    for (int i = 0; i < lanes.kCount; ++i) lanes.of[i] += simd::load(x + t + i * simd::kLanes<A>);
  }
  double sum = lanes.total();
  for (; t < end; ++t) sum += static_cast<double>(static_cast<A>(x[t]));
  return sum;
}

}  // namespace crocuta::kernels
