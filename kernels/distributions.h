// Uniform and normal numbers from random bits, by operations that every machine rounds alike (sums,
// products, quotients, square roots and fused multiply-adds of doubles), so that a CPU and a GPU
// draw the same numbers to the bit. The libraries' log, sin and cos differ in the last place.
#pragma once

#include <cmath>

#include "kernels/philox.h"

namespace crocuta::kernels {

// low + (high - low) u, u in [0, 1) on a grid of 2^-24.
CROCUTA_HOST_DEVICE inline double uniform_number(std::uint32_t bits, double low, double high) {
  return std::fma(high - low, unit_interval(bits), low);
}

namespace detail {

// The natural logarithm of (bits + 1) 2^-32, within 1 unit in the last place.
CROCUTA_HOST_DEVICE inline double log_of_unit(std::uint32_t bits) {
  const double u = (static_cast<double>(bits) + 1.0) * 0x1p-32;
  // u = 2^n (1 + f) with 1 + f in [sqrt(1/2), sqrt(2))
  constexpr std::int64_t kSqrtHalf = 0x3fe6a09e667f3bcd, kMantissa = 0xfffffffffffff;
  std::int64_t word;
  std::memcpy(&word, &u, sizeof word);
  const double n = static_cast<double>((word - kSqrtHalf) >> 52);
  word = ((word - kSqrtHalf) & kMantissa) + kSqrtHalf;
  double f;
  std::memcpy(&f, &word, sizeof f);
  f -= 1.0;
  // ln(1 + f) = 2 atanh(s) = f - (f^2 / 2 - s (f^2 / 2 + r)), r = 2 (z/3 + z^2/5 + ...), z = s^2
  const double s = f / (2.0 + f), z = s * s, half = 0.5 * f * f;
  double r = 2.0 / 21;
  r = std::fma(r, z, 2.0 / 19);
  r = std::fma(r, z, 2.0 / 17);
  r = std::fma(r, z, 2.0 / 15);
  r = std::fma(r, z, 2.0 / 13);
  r = std::fma(r, z, 2.0 / 11);
  r = std::fma(r, z, 2.0 / 9);
  r = std::fma(r, z, 2.0 / 7);
  r = std::fma(r, z, 2.0 / 5);
  r = std::fma(r, z, 2.0 / 3);
  const double y = std::fma(n, 0x1.abc9e3b39803fp-56, std::fma(s, std::fma(r, z, half), -half));
  return std::fma(n, 0x1.62e42fefa39efp-1, f + y);
}

struct CosSin {
  double cos, sin;
};

// Of 2 pi k 2^-24, k being the upper 24 of `bits`, within 1.8 units in the last place.
CROCUTA_HOST_DEVICE inline CosSin cos_sin_of_turn(std::uint32_t bits) {
  // The whole quarter turns are taken off exactly; x is at most an eighth of a turn.
  const auto k = static_cast<std::int32_t>(bits >> 8);
  const std::int32_t quarters = (k + (1 << 21)) >> 22;
  const double x = static_cast<double>(k - quarters * (1 << 22)) * 0x1.921fb54442d18p-22;
  const double z = x * x;
  double s = 1.0 / 355687428096000;  // 17!
  s = std::fma(s, z, -1.0 / 1307674368000);
  s = std::fma(s, z, 1.0 / 6227020800);
  s = std::fma(s, z, -1.0 / 39916800);
  s = std::fma(s, z, 1.0 / 362880);
  s = std::fma(s, z, -1.0 / 5040);
  s = std::fma(s, z, 1.0 / 120);
  s = std::fma(s, z, -1.0 / 6);
  s = std::fma(x * z, s, x);
  double c = 1.0 / 20922789888000;  // 16!
  c = std::fma(c, z, -1.0 / 87178291200);
  c = std::fma(c, z, 1.0 / 479001600);
  c = std::fma(c, z, -1.0 / 3628800);
  c = std::fma(c, z, 1.0 / 40320);
  c = std::fma(c, z, -1.0 / 720);
  c = std::fma(c, z, 1.0 / 24);
  c = std::fma(c, z, -0.5);
  c = std::fma(c, z, 1.0);
  const CosSin turned = quarters % 2 == 0 ? CosSin{c, s} : CosSin{-s, c};
  return quarters % 4 < 2 ? turned : CosSin{-turned.cos, -turned.sin};
}

}  // namespace detail

struct NormalPair {
  double first, second;
};

// Two independent normal numbers: the Box-Muller transform (Box and Muller, "A note on the
// generation of random normal deviates", 1958).
CROCUTA_HOST_DEVICE inline NormalPair normal_numbers(std::uint32_t bits, std::uint32_t more_bits,
                                                     double mean, double stddev) {
  const double radius = stddev * std::sqrt(-2.0 * detail::log_of_unit(bits));
  const detail::CosSin angle = detail::cos_sin_of_turn(more_bits);
  return {std::fma(radius, angle.cos, mean), std::fma(radius, angle.sin, mean)};
}

}  // namespace crocuta::kernels
