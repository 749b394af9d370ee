// Filters of at most kShortFilter taps: one pass over the row, the taps in registers. These are
// bound by memory, so what counts is that each sample is read and written once.
#pragma once

#include "kernels/cpu/depthwise_conv1d_row.h"

namespace crocuta::kernels {

inline constexpr int kShortFilter = 8;

// What becomes of a vector of results.
enum class Write { kNothing, kStore, kStream };
template <Write W>
using WriteTag = std::integral_constant<Write, W>;

// y[begin, end) of a row; past the caches if `streaming`.
template <class T, int K>
void correlate_short(const Filter<T>& filter, const T* x, std::int64_t length, const T* bias, T* y,
                     std::int64_t begin, std::int64_t end, bool streaming) {
  using A = accumulator_t<T>;
  using V = simd::Vector<A>;
  constexpr int W = simd::kLanes<A>;
  // Outputs in [low, high) meet every tap.
  const std::int64_t low = std::clamp(filter.left, begin, end);
  const std::int64_t high = std::clamp(length - (K - 1 - filter.left), low, end);
  if (high - low < W) return correlate_each(filter, x, length, bias, y, begin, end);

  correlate_each(filter, x, length, bias, y, begin, low);
  V taps[K];
  simd::unroll<K>([&](auto k)
                      __attribute__((always_inline)) { taps[k] = simd::broadcast(filter.tap(k)); });
  const std::int64_t aligned = first_aligned<W * sizeof(T)>(y, low);
  const auto interior = [&](auto finish, auto write) __attribute__((always_inline)) {
    const T* first = x - filter.left;
    cover<W>(
        low, high, aligned,
        [&](std::int64_t t, std::int64_t, std::int64_t, auto whole) __attribute__((always_inline)) {
          V sum = {};
          simd::unroll<K>([&](auto k) __attribute__((always_inline)) {
            sum = simd::multiply_add(taps[k], simd::load(first + t + k), sum);
          });
          if constexpr (whole && write == Write::kStream) {
            simd::stream(y + t, finish(sum));
          } else {
            simd::store(y + t, finish(sum));
          }
        });
  };
  const auto finished = [&](auto write) __attribute__((always_inline)) {
    if (bias) {
      const V offset = simd::broadcast(static_cast<A>(*bias));
      interior(
          [&](V sum) __attribute__((always_inline)) { return sum + offset; }, write);
    } else {
      interior(
          [](V sum) __attribute__((always_inline)) { return sum; }, write);
    }
  };
  if (streaming && can_stream(y, aligned, high)) {
    finished(WriteTag<Write::kStream>{});
  } else {
    finished(WriteTag<Write::kStore>{});
  }
  correlate_each(filter, x, length, bias, y, high, end);
}

// dx[begin, end) of a row (unless dx is null; past the caches if `streaming`), and what the samples
// x[begin, end) add to sums[0, K) = dweight and sums[K] = dbias. Since
//
//   dx[s] = sum_k tap(k) dy[s - k + left]     dweight[k] = sum_s x[s] dy[s - k + left],
//
// one read of dy serves both.
template <class T, int K>
void backward_short(const Filter<T>& filter, const T* x, const T* dy, std::int64_t length, T* dx,
                    double* sums, std::int64_t begin, std::int64_t end, bool streaming) {
  using A = accumulator_t<T>;
  using V = simd::Vector<A>;
  constexpr int W = simd::kLanes<A>, N = simd::kSums<A>;
  const Filter<T> back = filter.backwards();
  const auto alone = [&](std::int64_t from, std::int64_t to) {
    if (dx) correlate_each<T>(back, dy, length, nullptr, dx, from, to);
    for (std::int64_t s = from; s < to; ++s) {
      sums[K] += static_cast<double>(static_cast<A>(dy[s]));
      for (int k = 0; k < K; ++k) {
        const std::int64_t t = s - k + filter.left;
        if (t < 0 || t >= length) continue;
        sums[k] +=
            static_cast<double>(static_cast<A>(x[s])) * static_cast<double>(static_cast<A>(dy[t]));
      }
    }
  };
  const std::int64_t low = std::clamp(back.left, begin, end);
  const std::int64_t high = std::clamp(length - filter.left, low, end);
  if (high - low < N) return alone(begin, end);

  alone(begin, low);
  V taps[K];
  simd::unroll<K>([&](auto k)
                      __attribute__((always_inline)) { taps[k] = simd::broadcast(back.tap(k)); });
  const auto round_up = [](std::int64_t s) { return (s + N - 1) / N * N; };
  const auto block = [&](std::int64_t from, std::int64_t to, auto write)
      __attribute__((always_inline)) {
    simd::Sums<A> dweight[K];  // in the order of the taps read backwards
    simd::Sums<A> dbias;
    // Aligned by place, not by address: which lane a product falls to must not depend on the
    // latter.
    cover<N>(
        from, to, round_up(from),
        [&](std::int64_t s, std::int64_t first, std::int64_t last, auto whole)
            __attribute__((always_inline)) {
              simd::unroll<dbias.kCount>([&](auto i) __attribute__((always_inline)) {
                const std::int64_t at = s + i * W;
                const V sample = simd::load(x + at);
                const T* gradients = dy + at - back.left;
                const auto add = [&](V & sum, V next) __attribute__((always_inline)) {
                  if constexpr (whole) {
                    sum = next;
                  } else {
                    const auto lanes = simd::lanes_between<A>(first - i * W, last - i * W);
                    sum = simd::select<A>(lanes, next, sum);
                  }
                };
                V result = {};
                simd::unroll<K>([&](auto k) __attribute__((always_inline)) {
                  const V gradient = simd::load(gradients + k);
                  result = simd::multiply_add(taps[k], gradient, result);
                  V& sum = dweight[k].of[i];
                  add(sum, simd::multiply_add(sample, gradient, sum));
                });
                add(dbias.of[i], dbias.of[i] + simd::load(dy + at));
                if constexpr (whole && write == Write::kStream) {
                  simd::stream(dx + at, result);
                } else if constexpr (write != Write::kNothing) {
                  simd::store(dx + at, result);
                }
              });
            });
    simd::unroll<K>([&](auto k)
                        __attribute__((always_inline)) { sums[K - 1 - k] += dweight[k].total(); });
    sums[K] += dbias.total();
  };
  for (std::int64_t from = low; from < high;) {
    // Blocks end where all lanes have had as many; the last takes what would be too short for that.
    const std::int64_t to =
        high - from < kDepthwiseBlock + N ? high : (from + kDepthwiseBlock) / N * N;
    if (!dx) {
      block(from, to, WriteTag<Write::kNothing>{});
    } else if (streaming && can_stream(dx, round_up(from), to)) {
      block(from, to, WriteTag<Write::kStream>{});
    } else {
      block(from, to, WriteTag<Write::kStore>{});
    }
    from = to;
  }
  alone(high, end);
}

}  // namespace crocuta::kernels
