// One vector register of float or double, by the vector types of GCC and Clang, so that a kernel
// is written once for AVX-512, AVX2 and everything else.
//
// A result must not depend on whether an element was computed in a vector or alone, so fused
// multiply-adds are asked for by name; all files are compiled with -ffp-contract=off.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#include "kernels/types.h"

#if defined(__AVX__)
#include <immintrin.h>
#endif

#define CROCUTA_INLINE inline __attribute__((always_inline))

namespace crocuta::kernels::simd {

#if defined(__AVX512F__)
inline constexpr int kBytes = 64;
inline constexpr int kRegisters = 32;
#else
inline constexpr int kBytes = 32;
inline constexpr int kRegisters = 16;
#endif

template <class A, int Bytes = kBytes>
struct VectorOf {
  typedef A type __attribute__((vector_size(Bytes)));
};
// A register of A; arithmetic on it is by lane.
template <class A>
using Vector = typename VectorOf<A>::type;
template <class A>
inline constexpr int kLanes = kBytes / static_cast<int>(sizeof(A));
// Signed integers of A's size, as comparisons of Vector<A> give.
template <class A>
using MaskLane = std::conditional_t<sizeof(A) == 4, std::int32_t, std::int64_t>;
template <class A>
using Mask = typename VectorOf<MaskLane<A>>::type;

// Calls f(0), ..., f(N - 1) with compile-time indices.
template <int N, class F>
CROCUTA_INLINE void unroll(F&& f) {
  [&]<int... I>(std::integer_sequence<int, I...>) __attribute__((always_inline)) {
    (f(std::integral_constant<int, I>{}), ...);
  }
  (std::make_integer_sequence<int, N>{});
}

template <class A>
CROCUTA_INLINE Vector<A> broadcast(A value) {
  return [&]<int... I>(std::integer_sequence<int, I...>) __attribute__((always_inline)) {
    return Vector<A>{((void)I, value)...};
  }
  (std::make_integer_sequence<int, kLanes<A>>{});
}

// {0, 1, 2, ...}
template <class A>
CROCUTA_INLINE Mask<A> lane_numbers() {
  return []<int... I>(std::integer_sequence<int, I...>) __attribute__((always_inline)) {
    return Mask<A>{I...};
  }
  (std::make_integer_sequence<int, kLanes<A>>{});
}

// True in lanes [begin, end).
template <class A>
CROCUTA_INLINE Mask<A> lanes_between(std::int64_t begin, std::int64_t end) {
  const auto clamped = [](std::int64_t lane) {
    return static_cast<MaskLane<A>>(lane < 0 ? 0 : lane > kLanes<A> ? kLanes<A> : lane);
  };
  const Mask<A> lane = lane_numbers<A>();
  return (lane >= clamped(begin)) & (lane < clamped(end));
}

// a where the mask is true, else b. The value not chosen has no effect, be it NaN.
template <class A>
CROCUTA_INLINE Vector<A> select(Mask<A> mask, Vector<A> a, Vector<A> b) {
  return mask ? a : b;
}

// a * b + c, rounded once if the machine can.
template <class A>
CROCUTA_INLINE A multiply_add(A a, A b, A c) {
#if defined(__FMA__) || defined(__ARM_FEATURE_FMA)
  if constexpr (std::is_floating_point_v<A>) {
    return std::fma(a, b, c);
  } else {  // a vector that has no instruction below
    A sum;
    for (unsigned lane = 0; lane < sizeof(A) / sizeof(a[0]); ++lane) {
      sum[lane] = std::fma(a[lane], b[lane], c[lane]);
    }
    return sum;
  }
#else
  return a * b + c;
#endif
}
#if defined(__FMA__)
CROCUTA_INLINE Vector<float> multiply_add(Vector<float> a, Vector<float> b, Vector<float> c) {
#if defined(__AVX512F__)
  return (Vector<float>)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#else
  return (Vector<float>)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#endif
}
CROCUTA_INLINE Vector<double> multiply_add(Vector<double> a, Vector<double> b, Vector<double> c) {
#if defined(__AVX512F__)
  return (Vector<double>)_mm512_fmadd_pd((__m512d)a, (__m512d)b, (__m512d)c);
#else
  return (Vector<double>)_mm256_fmadd_pd((__m256d)a, (__m256d)b, (__m256d)c);
#endif
}
#endif

// The lower or (First = half the lanes) upper half of a vector.
template <class A, int First, class V>
CROCUTA_INLINE auto half_of(V v) {
  return [&]<int... I>(std::integer_sequence<int, I...>) __attribute__((always_inline)) {
    return __builtin_shufflevector(v, v, (First + I)...);
  }
  (std::make_integer_sequence<int, static_cast<int>(sizeof(V) / sizeof(A) / 2)>{});
}

// The sum of all lanes, taken in double, halves added to halves.
template <class A, int Bytes>
CROCUTA_INLINE double sum_of(typename VectorOf<A, Bytes>::type v) {
  constexpr int kHalf = Bytes / static_cast<int>(sizeof(A)) / 2;
  if constexpr (std::is_same_v<A, float>) {
    using Wide = typename VectorOf<double, Bytes>::type;
    return sum_of<double, Bytes>(__builtin_convertvector(half_of<A, 0>(v), Wide) +
                                 __builtin_convertvector(half_of<A, kHalf>(v), Wide));
  } else if constexpr (kHalf > 1) {
    return sum_of<A, Bytes / 2>(half_of<A, 0>(v) + half_of<A, kHalf>(v));
  } else {
    return v[0] + v[1];
  }
}

// v[i] lane j → v[j] lane i. First within pieces of 16 bytes, by interleaving, for which all
// machines have instructions, and then by exchanging pieces.
template <class R, class V, std::size_t W>
CROCUTA_INLINE void transpose(V (&v)[W]) {
  constexpr int kWidth = W, kPiece = std::min<int>(kWidth, 16 / sizeof(R));
  const auto shuffled = []<class Lane>(V a, V b, Lane) __attribute__((always_inline)) {
    return [&]<int... I>(std::integer_sequence<int, I...>) __attribute__((always_inline)) {
      return __builtin_shufflevector(a, b, Lane::of(I)...);
    }
    (std::make_integer_sequence<int, kWidth>{});
  };
  struct Lower {  // lanes i / 2 of a and b by turns, in each piece
    static constexpr int of(int i) {
      return i / kPiece * kPiece + i % kPiece / 2 + (i % 2 == 1 ? kWidth : 0);
    }
  };
  struct Upper {
    static constexpr int of(int i) { return Lower::of(i) + kPiece / 2; }
  };
  for (int round = 1; round < kPiece; round *= 2) {
    V mixed[W];
    for (int i = 0; i < kWidth; ++i) {
      const int block = i / kPiece * kPiece, pair = i % kPiece / 2;
      const V a = v[block + pair], b = v[block + pair + kPiece / 2];
      mixed[i] = i % 2 == 0 ? shuffled(a, b, Lower()) : shuffled(a, b, Upper());
    }
    for (int i = 0; i < kWidth; ++i) v[i] = mixed[i];
  }
  const auto exchange = [&]<int Step>(std::integral_constant<int, Step>)
      __attribute__((always_inline)) {
    struct First {
      static constexpr int of(int i) { return (i & Step) == 0 ? i : kWidth + i - Step; }
    };
    struct Second {
      static constexpr int of(int i) { return (i & Step) == 0 ? i + Step : kWidth + i; }
    };
    for (int i = 0; i < kWidth; ++i) {
      if ((i & Step) != 0) continue;
      const V a = v[i], b = v[i + Step];
      v[i] = shuffled(a, b, First());
      v[i + Step] = shuffled(a, b, Second());
    }
  };
  if constexpr (kPiece < kWidth) exchange(std::integral_constant<int, kPiece>());
  if constexpr (2 * kPiece < kWidth) exchange(std::integral_constant<int, 2 * kPiece>());
}

// Reads and writes kLanes<A> elements of T at any address, converted from and to A.
template <class T>
CROCUTA_INLINE Vector<accumulator_t<T>> load(const T* p) {
  Vector<accumulator_t<T>> v;
  if constexpr (std::is_same_v<T, accumulator_t<T>>) {
    std::memcpy(&v, p, sizeof v);
    return v;
  } else if constexpr (std::is_same_v<T, bfloat16>) {
    typename VectorOf<std::uint16_t, kBytes / 2>::type half;
    std::memcpy(&half, p, sizeof half);
    using Bits = typename VectorOf<std::uint32_t>::type;
    return (Vector<float>)(__builtin_convertvector(half, Bits) << 16);
  } else {
#if defined(__AVX512F__)
    // The masked forms, since the plain ones make GCC 12 warn of uninitialised variables.
    return (Vector<float>)_mm512_maskz_cvtph_ps(
        0xffff, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
#elif defined(__F16C__)
    return (Vector<float>)_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
#else
    for (int lane = 0; lane < kLanes<float>; ++lane) v[lane] = static_cast<float>(p[lane]);
    return v;
#endif
  }
}

template <class T>
CROCUTA_INLINE void store(T* p, Vector<accumulator_t<T>> v) {
  if constexpr (std::is_same_v<T, accumulator_t<T>>) {
    std::memcpy(static_cast<void*>(p), &v, sizeof v);
  } else if constexpr (std::is_same_v<T, bfloat16>) {
    // As bfloat16(float): to nearest even; a NaN keeps its sign and upper bits and becomes quiet.
    using Bits = typename VectorOf<std::uint32_t>::type;
    using Half = typename VectorOf<std::uint16_t, kBytes / 2>::type;
    const Bits u = (Bits)v;
    const Bits is_nan = (Bits)((u & 0x7fffffffu) > 0x7f800000u);
    const Bits rounded = (u + 0x7fffu + ((u >> 16) & 1u)) >> 16;
    const Bits quiet = (u >> 16) | 0x40u;
    const Half half = __builtin_convertvector((is_nan & quiet) | (~is_nan & rounded), Half);
    std::memcpy(static_cast<void*>(p), &half, sizeof half);
  } else {
#if defined(__AVX512F__)
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p),
                        _mm512_maskz_cvtps_ph(0xffff, (__m512)v, _MM_FROUND_TO_NEAREST_INT));
#elif defined(__F16C__)
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p),
                     _mm256_cvtps_ph((__m256)v, _MM_FROUND_TO_NEAREST_INT));
#else
    for (int lane = 0; lane < kLanes<float>; ++lane) p[lane] = static_cast<T>(v[lane]);
#endif
  }
}

// True where stream() writes past the caches.
#if defined(__AVX__)
inline constexpr bool kCanStream = true;
#else
inline constexpr bool kCanStream = false;
#endif

// As store() of float or double, to an address aligned to kBytes, past the caches. Other threads
// see it after end_stream().
CROCUTA_INLINE void stream(void* p, Vector<float> v) {
#if defined(__AVX512F__)
  _mm512_stream_ps(static_cast<float*>(p), (__m512)v);
#elif defined(__AVX__)
  _mm256_stream_ps(static_cast<float*>(p), (__m256)v);
#else
  std::memcpy(p, &v, sizeof v);
#endif
}
CROCUTA_INLINE void stream(void* p, Vector<double> v) {
  stream(p, (Vector<float>)v);
}
inline void end_stream() {
#if defined(__AVX__)
  _mm_sfence();
#endif
}

// Running sums side by side, as many on every machine (16 of float, 8 of double), so that what they
// add up to has the same bits: one register with AVX-512, two with AVX2.
template <class A>
inline constexpr int kSums = 64 / static_cast<int>(sizeof(A));
template <class A>
struct Sums {
  static constexpr int kCount = kSums<A> / kLanes<A>;
  Vector<A> of[kCount] = {};

  // Their sum, taken in double, halves added to halves.
  CROCUTA_INLINE double total() const {
    typename VectorOf<A, 64>::type all;
    static_assert(sizeof all == sizeof of);
    std::memcpy(&all, of, sizeof all);
    return sum_of<A, 64>(all);
  }
};

}  // namespace crocuta::kernels::simd
