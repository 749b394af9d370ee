// The transcendental functions of the kernels, on every device.
//
// For float on a CPU: straight-line code without calls, branches or tables, so that compilers turn
// a loop over it into vector instructions without -ffast-math. Errors, in units of the last place
// of the result, over all floats: exp 1.1, log 0.9, sin and cos 2.2, tanh 2.6, sigmoid 2.5. NaN,
// infinities, signed zeros, overflow and subnormal numbers come out as in the C library. The
// polynomials are minimax fits (Remez exchange) whose coefficients were then rounded to float. For
// double, and on a GPU: the library's functions.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#include "kernels/types.h"

namespace crocuta::kernels::math {

namespace detail {

CROCUTA_HOST_DEVICE inline float from_bits(std::uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}
CROCUTA_HOST_DEVICE inline std::uint32_t to_bits(float value) {
  std::uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

// a * b + c, rounded once where the machine can: the compiler may not fuse it by itself.
template <class A>
CROCUTA_HOST_DEVICE inline A fused(A a, A b, A c) {
#if defined(__FMA__) || defined(__ARM_FEATURE_FMA)
  return std::fma(a, b, c);
#else
  return a * b + c;
#endif
}

// 2^n for -126 <= n <= 127.
CROCUTA_HOST_DEVICE inline float power_of_two(std::int32_t n) {
  return from_bits(static_cast<std::uint32_t>(n + 127) << 23);
}

// x = n ln2 + r with |r| <= ln2 / 2, and e^r - 1, for |x| < 2^20.
struct ExpParts {
  std::int32_t n;
  float expm1_r;
};
CROCUTA_HOST_DEVICE inline ExpParts exp_parts(float x) {
  const float shift = 0x1.8p23f;  // adding it rounds to an integer, kept in the low bits
  const float t = fused(x, 0x1.715476p0f, shift);
  const float n = t - shift;
  float r = fused(n, -0x1.62e4p-1f, x);  // the upper part of ln2 has 15 bits: exact
  r = fused(n, -0x1.7f7d1cp-20f, r);
  float q = 0x1.6d9634p-10f;
  q = fused(q, r, 0x1.12261ep-7f);
  q = fused(q, r, 0x1.55548cp-5f);
  q = fused(q, r, 0x1.5554b2p-3f);
  q = fused(q, r, 0x1p-1f);
  return {static_cast<std::int32_t>(to_bits(t) - to_bits(shift)), fused(r * r, q, r)};
}

// sin(x + quarter_turns * pi / 2) for quarter_turns 0 or 1 and 0 <= x <= kSineLimit.
CROCUTA_HOST_DEVICE inline float sine(float x, int quarter_turns) {
  // The reduction is done in double, whose 53 bits leave the small differences from multiples of
  // pi exact enough: n has at most 19 bits and the upper part of pi 33.
  const double shift = 0x1.8p52;
  const double wide = x;
  const double half = 0.5 * quarter_turns;
  const double t = fused(wide, 0x1.45f306dc9c883p-2, half) + shift;
  const double n = t - shift - half;
  const float r =
      static_cast<float>(fused(-n, 0x1.0b4611a626331p-33, fused(-n, 0x1.921fb544p1, wide)));
  std::uint64_t low_bits;
  std::memcpy(&low_bits, &t, sizeof low_bits);
  const float z = r * r;
  float s = 0x1.5dbdep-19f;
  s = fused(s, z, -0x1.9f6ffep-13f);
  s = fused(s, z, 0x1.110ed4p-7f);
  s = fused(s, z, -0x1.55554cp-3f);
  const float magnitude = fused(r * z, s, r);
  return from_bits(to_bits(magnitude) ^ (static_cast<std::uint32_t>(low_bits) << 31));
}

}  // namespace detail

CROCUTA_HOST_DEVICE inline float exp(float x) {
#if defined(__CUDA_ARCH__)
  return ::expf(x);
#else
  x = x < -104.0f ? -104.0f : x;
  x = x > 89.0f ? 89.0f : x;
  const auto [n, p] = detail::exp_parts(x);
  // In two steps, since 2^n alone may be infinite or subnormal where the product is not.
  const std::int32_t half = n >> 1;
  return (1.0f + p) * detail::power_of_two(half) * detail::power_of_two(n - half);
#endif
}

CROCUTA_HOST_DEVICE inline float log(float x) {
#if defined(__CUDA_ARCH__)
  return ::logf(x);
#else
  const bool tiny = x < 0x1p-126f;
  const std::uint32_t bits = detail::to_bits(tiny ? x * 0x1p23f : x);
  const std::uint32_t sqrt_half = 0x3f3504f3u;
  // x = 2^n (1 + f) with 1 + f in [sqrt(1/2), sqrt(2))
  const std::int32_t n = static_cast<std::int32_t>(bits - sqrt_half) >> 23;
  const float f = detail::from_bits(((bits - sqrt_half) & 0x7fffffu) + sqrt_half) - 1.0f;
  const float e = static_cast<float>(n) - (tiny ? 23.0f : 0.0f);
  float q = -0x1.3987bep-4f;
  q = detail::fused(q, f, 0x1.055f0cp-3f);
  q = detail::fused(q, f, -0x1.0d5a7ap-3f);
  q = detail::fused(q, f, 0x1.22d63p-3f);
  q = detail::fused(q, f, -0x1.5476d6p-3f);
  q = detail::fused(q, f, 0x1.99a07p-3f);
  q = detail::fused(q, f, -0x1.000214p-2f);
  q = detail::fused(q, f, 0x1.555554p-2f);
  const float f2 = f * f;
  float y = detail::fused(f2 * f, q, -0.5f * f2);
  y = detail::fused(e, 0x1.7f7d1cp-20f, y);
  y = detail::fused(e, 0x1.62e4p-1f, f + y);
  y = x == HUGE_VALF ? x : y;
  y = x == 0.0f ? -HUGE_VALF : y;
  return x >= 0.0f ? y : NAN;
#endif
}

// The largest argument that sin and cos of floats take below; the kernels send larger ones, and
// infinities and NaN, to the library.
constexpr float kSineLimit = 1048576.0f;

CROCUTA_HOST_DEVICE inline float sin(float x) {
#if defined(__CUDA_ARCH__)
  return ::sinf(x);
#else
  const std::uint32_t sign = detail::to_bits(x) & 0x80000000u;
  return detail::from_bits(detail::to_bits(detail::sine(std::fabs(x), 0)) ^ sign);
#endif
}
CROCUTA_HOST_DEVICE inline float cos(float x) {
#if defined(__CUDA_ARCH__)
  return ::cosf(x);
#else
  return detail::sine(std::fabs(x), 1);
#endif
}

CROCUTA_HOST_DEVICE inline float tanh(float x) {
#if defined(__CUDA_ARCH__)
  return ::tanhf(x);
#else
  float a = std::fabs(x);
  a = a > 10.0f ? 10.0f : a;  // tanh(10) rounds to 1
  const auto [n, p] = detail::exp_parts(2.0f * a);
  const float scale = detail::power_of_two(n);
  const float expm1 = detail::fused(p, scale, scale - 1.0f);
  return std::copysign(expm1 / (expm1 + 2.0f), x);
#endif
}

CROCUTA_HOST_DEVICE inline double exp(double x) {
  return ::exp(x);
}
CROCUTA_HOST_DEVICE inline double log(double x) {
  return ::log(x);
}
CROCUTA_HOST_DEVICE inline double sin(double x) {
  return ::sin(x);
}
CROCUTA_HOST_DEVICE inline double cos(double x) {
  return ::cos(x);
}
CROCUTA_HOST_DEVICE inline double tanh(double x) {
  return ::tanh(x);
}

// 1 / (1 + e^-x), without overflow on either side.
template <class T>
CROCUTA_HOST_DEVICE T sigmoid(T x) {
  const T e = exp(-std::fabs(x));
  return (x < T(0) ? e : T(1)) / (T(1) + e);
}

// sigmoid(x) and 1 - sigmoid(x), neither of which loses digits when it is small.
template <class T>
struct SigmoidPair {
  T value, complement;
};
template <class T>
CROCUTA_HOST_DEVICE SigmoidPair<T> sigmoid_pair(T x) {
  const T e = exp(-std::fabs(x));
  const T larger = T(1) / (T(1) + e), smaller = e * larger;
  return {x < T(0) ? smaller : larger, x < T(0) ? larger : smaller};
}

}  // namespace crocuta::kernels::math
