// Filters of any length: tiles of outputs held in registers while all taps pass by. These are bound
// by arithmetic, so what counts is multiply-adds per load.
#pragma once

#include "kernels/cpu/depthwise_conv1d_row.h"

namespace crocuta::kernels {

// Adds to J vectors of outputs the taps k = W q + r, q < Q, r in [first, last): a sample vector
// loaded for one r serves output j at tap q for every j + q alike.
template <class T, int J, int Q>
CROCUTA_INLINE void add_tap_groups(simd::Vector<accumulator_t<T>> (&sums)[J], const T* x,
                                   const Filter<T>& filter, std::int64_t first_tap,
                                   std::int64_t first, std::int64_t last) {
  using V = simd::Vector<accumulator_t<T>>;
  constexpr int W = simd::kLanes<accumulator_t<T>>;
  for (std::int64_t r = first; r < last; ++r) {
    V taps[Q];
    simd::unroll<Q>([&](auto q) __attribute__((always_inline)) {
      taps[q] = simd::broadcast(filter.tap(first_tap + W * q + r));
    });
    simd::unroll<J + Q - 1>([&](auto m) __attribute__((always_inline)) {
      const V samples = simd::load(x + r + W * m);
      simd::unroll<Q>([&](auto q) __attribute__((always_inline)) {
        constexpr int j = m - q;
        if constexpr (j >= 0 && j < J) {
          sums[j] = simd::multiply_add(taps[q], samples, sums[j]);
        }
      });
    });
  }
}

// Adds `count` taps, from first_tap on, all of which meet a sample for each of the J vectors of
// outputs; x is the sample that the first tap meets for the first output.
template <class T, int J>
CROCUTA_INLINE void add_taps(simd::Vector<accumulator_t<T>> (&sums)[J], const T* x,
                             const Filter<T>& filter, std::int64_t first_tap, std::int64_t count) {
  constexpr int W = simd::kLanes<accumulator_t<T>>;
  for (; count >= 4 * W; first_tap += 4 * W, x += 4 * W, count -= 4 * W) {
    add_tap_groups<T, J, 4>(sums, x, filter, first_tap, 0, W);
  }
  const std::int64_t groups = count / W, rest = count % W;
  const auto add = [&](auto q, std::int64_t first, std::int64_t last)
      __attribute__((always_inline)) {
    add_tap_groups<T, J, q>(sums, x, filter, first_tap, first, last);
  };
  switch (groups) {
    case 0:
      add(std::integral_constant<int, 1>{}, 0, rest);
      break;
    case 1:
      add(std::integral_constant<int, 2>{}, 0, rest);
      add(std::integral_constant<int, 1>{}, rest, W);
      break;
    case 2:
      add(std::integral_constant<int, 3>{}, 0, rest);
      add(std::integral_constant<int, 2>{}, rest, W);
      break;
    default:
      add(std::integral_constant<int, 4>{}, 0, rest);
      add(std::integral_constant<int, 3>{}, rest, W);
  }
}

// Adds taps [first_tap, last_tap), each of which meets a sample for some of the outputs
// [begin, begin + J W) only. They read a short padded copy of the end of x they hang over, and the
// padding's products are thrown away.
template <class T, int J>
void add_border_taps(simd::Vector<accumulator_t<T>> (&sums)[J], const T* x, std::int64_t length,
                     const Filter<T>& filter, std::int64_t begin, std::int64_t first_tap,
                     std::int64_t last_tap) {
  using A = accumulator_t<T>;
  constexpr std::int64_t W = simd::kLanes<A>, N = J * W;
  if (first_tap >= last_tap) return;
  const bool at_start = begin + first_tap < filter.left;
  const std::int64_t origin = at_start ? -N : length - N;  // of the copy, in x
  T copy[2 * N] = {};
  std::copy_n(at_start ? x : x + length - N, N, at_start ? copy + N : copy);
  for (std::int64_t k = first_tap; k < last_tap; ++k) {
    const simd::Vector<A> tap = simd::broadcast(filter.tap(k));
    const std::int64_t start = begin + k - filter.left;  // of the samples met
    simd::unroll<J>([&](auto j) __attribute__((always_inline)) {
      const auto samples = simd::load(copy + (start - origin) + j * W);
      const auto valid = simd::lanes_between<A>(-start - j * W, length - start - j * W);
      sums[j] = simd::select<A>(valid, simd::multiply_add(tap, samples, sums[j]), sums[j]);
    });
  }
}

// y[begin, begin + J W) of a row of at least J W samples.
template <class T, int J>
void correlate_tile(const Filter<T>& filter, const T* x, std::int64_t length, const T* bias, T* y,
                    std::int64_t begin) {
  using A = accumulator_t<T>;
  constexpr std::int64_t W = simd::kLanes<A>;
  const std::int64_t last = begin + J * W - 1, K = filter.count, left = filter.left;
  // Taps [first, a) hang over the start of x, [a, b) meet a sample for every output, [b, stop) hang
  // over the end. They are in order since the tile is no longer than the row.
  const std::int64_t first = std::clamp<std::int64_t>(left - last, 0, K);
  const std::int64_t a = std::clamp<std::int64_t>(left - begin, 0, K);
  const std::int64_t b = std::clamp<std::int64_t>(length + left - last, 0, K);
  const std::int64_t stop = std::clamp<std::int64_t>(length + left - begin, 0, K);
  simd::Vector<A> sums[J] = {};
  add_border_taps<T, J>(sums, x, length, filter, begin, first, a);
  if (a < b) add_taps<T, J>(sums, x + (begin + a - left), filter, a, b - a);
  add_border_taps<T, J>(sums, x, length, filter, begin, b, stop);
  const simd::Vector<A> offset = simd::broadcast(bias ? static_cast<A>(*bias) : A(0));
  simd::unroll<J>([&](auto j) __attribute__((always_inline)) {
    simd::store(y + begin + j * W, sums[j] + offset);
  });
}

// y[begin, end) of a row. There is nothing to be gained from streaming.
template <class T>
void correlate_long(const Filter<T>& filter, const T* x, std::int64_t length, const T* bias, T* y,
                    std::int64_t begin, std::int64_t end, bool /*streaming*/) {
  constexpr std::int64_t W = simd::kLanes<accumulator_t<T>>;
  if (end - begin < W) return correlate_each(filter, x, length, bias, y, begin, end);
  const std::int64_t right = filter.count - 1 - filter.left;
  for (std::int64_t t = begin; t < end;) {
    t = std::min(t, end - W);  // the last vector may overlap the one before
    // A tile that hangs over an end pays for it in all its vectors: keep it small.
    std::int64_t vectors = (end - t) / W;
    if (t < filter.left) vectors = std::min(vectors, (filter.left - t + W - 1) / W);
    if (t < length - right) {
      vectors = std::min(vectors, std::max<std::int64_t>(1, (length - right - t) / W));
    }
    if (vectors >= 8) {
      correlate_tile<T, 8>(filter, x, length, bias, y, t);
      t += 8 * W;
    } else if (vectors >= 4) {
      correlate_tile<T, 4>(filter, x, length, bias, y, t);
      t += 4 * W;
    } else if (vectors >= 2) {
      correlate_tile<T, 2>(filter, x, length, bias, y, t);
      t += 2 * W;
    } else {
      correlate_tile<T, 1>(filter, x, length, bias, y, t);
      t += W;
    }
  }
}

// Adds sum_t dy[t] x[t + k - left] over t in [begin, end) to sums[k], for R taps from first_tap on.
template <class T, int R>
void add_dweight(const T* x, const T* dy, std::int64_t length, std::int64_t left,
                 std::int64_t first_tap, double* sums, std::int64_t begin, std::int64_t end) {
  using A = accumulator_t<T>;
  using V = simd::Vector<A>;
  constexpr std::int64_t W = simd::kLanes<A>, N = simd::kSums<A>;
  // For t in [low, high) every one of the taps meets a sample.
  std::int64_t low = std::clamp(left - first_tap, begin, end);
  std::int64_t high = std::clamp(length + left - (first_tap + R - 1), low, end);
  if (high - low < N) {
    high = low;
  } else {
    simd::Sums<A> products[R];
    const T* samples = x + (first_tap - left);
    cover<N>(
        low, high, low,
        [&](std::int64_t t, std::int64_t first, std::int64_t last, auto whole)
            __attribute__((always_inline)) {
              simd::unroll<simd::Sums<A>::kCount>([&](auto i) __attribute__((always_inline)) {
                const std::int64_t at = t + i * W;
                const V gradient = simd::load(dy + at);
                simd::unroll<R>([&](auto r) __attribute__((always_inline)) {
                  V& sum = products[r].of[i];
                  const V next = simd::multiply_add(gradient, simd::load(samples + at + r), sum);
                  if constexpr (whole) {
                    sum = next;
                  } else {
                    const auto lanes = simd::lanes_between<A>(first - i * W, last - i * W);
                    sum = simd::select<A>(lanes, next, sum);
                  }
                });
              });
            });
    simd::unroll<R>([&](auto r) __attribute__((always_inline)) {
      sums[first_tap + r] += products[r].total();
    });
  }
  for (std::int64_t k = first_tap; k < first_tap + R; ++k) {
    const auto alone = [&](std::int64_t from, std::int64_t to) {
      for (std::int64_t t = std::max(from, left - k); t < std::min(to, length + left - k); ++t) {
        sums[k] += static_cast<double>(static_cast<A>(dy[t])) *
                   static_cast<double>(static_cast<A>(x[t + k - left]));
      }
    };
    alone(begin, low);
    alone(high, end);
  }
}

// dx[begin, end) of a row (unless dx is null), and what the gradients dy[begin, end) add to
// sums[0, K) = dweight and sums[K] = dbias.
template <class T>
void backward_long(const Filter<T>& filter, const T* x, const T* dy, std::int64_t length, T* dx,
                   double* sums, std::int64_t begin, std::int64_t end, bool streaming) {
  constexpr int R = 6;  // what two registers each of AVX2 hold
  const std::int64_t K = filter.count;
  if (dx) correlate_long<T>(filter.backwards(), dy, length, nullptr, dx, begin, end, streaming);
  for (std::int64_t from = begin; from < end; from += kDepthwiseBlock) {
    const std::int64_t to = std::min(end, from + kDepthwiseBlock);
    std::int64_t k = 0;
    for (; k + R <= K; k += R) {
      add_dweight<T, R>(x, dy, length, filter.left, k, sums, from, to);
    }
    for (; k < K; ++k) add_dweight<T, 1>(x, dy, length, filter.left, k, sums, from, to);
    sums[K] += sum_block(dy, from, to);
  }
}

}  // namespace crocuta::kernels
