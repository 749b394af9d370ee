// Matrix products of all shapes and their oracle, for any device.
#pragma once

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "kernels/gemm.h"
#include "tests/kernels/device_memory.h"
#include "tests/support/catch.h"

namespace crocuta::test::gemm_cases {

using namespace crocuta::kernels;

template <class T>
constexpr double unit_roundoff() {
  if constexpr (std::is_same_v<T, double>) return 0x1p-53;
  if constexpr (std::is_same_v<T, float>) return 0x1p-24;
  if constexpr (std::is_same_v<T, float16>) return 0x1p-11;
  return 0x1p-8;
}

template <class T>
double value(T x) {
  return static_cast<double>(static_cast<accumulator_t<T>>(x));
}

template <class T>
std::vector<T> random_values(std::int64_t n, std::uint32_t seed) {
  std::mt19937 generator(seed);
  std::uniform_real_distribution<float> uniform(-1, 1);
  std::vector<T> x(static_cast<std::size_t>(n));
  for (T& v : x) v = T(uniform(generator));
  return x;
}

// A shape whose matrices lie `gap` elements apart in every row and between matrices.
GemmShape shape(std::int64_t m, std::int64_t n, std::int64_t k, bool trans_a, bool trans_b,
                std::int64_t gap = 0, std::int64_t batch = 1) {
  GemmShape s{trans_a, trans_b, m, n, k};
  s.lda = (trans_a ? m : k) + gap;
  s.ldb = (trans_b ? k : n) + gap;
  s.ldc = n + gap;
  s.batch = batch;
  s.stride_a = s.lda * (trans_a ? k : m) + gap;
  s.stride_b = s.ldb * (trans_b ? n : k) + gap;
  s.stride_c = s.ldc * m + gap;
  return s;
}

struct Case {
  GemmShape s;
  double alpha = 1, beta = 0;
  GemmBias bias = GemmBias::none;
};

template <class T>
struct Operands {
  explicit Operands(const GemmShape& s)
      : a(random_values<T>(s.stride_a * s.batch + s.lda * (s.trans_a ? s.k : s.m) + 1, 1)),
        b(random_values<T>(s.stride_b * s.batch + s.ldb * (s.trans_b ? s.n : s.k) + 1, 2)),
        c(random_values<T>(s.stride_c * s.batch + 1, 3)),
        bias(random_values<T>(std::max(s.m, s.n) + 1, 4)) {}
  std::vector<T> a, b, c, bias;
};

template <class Device, class T>
std::vector<T> run(const Case& test, const Operands<T>& x) {
  const OnDevice<Device, T> a(x.a), b(x.b), bias(x.bias);
  OnDevice<Device, T> c(x.c);
  Workspace<Device> scratch(gemm_workspace_bytes<Device, T>(test.s));
  gemm<Device, T>(test.s, test.alpha, a.data(), b.data(), test.beta, c.data(), test.bias,
                  bias.data(), scratch.data(), nullptr);
  return c.values();
}

// Compares with sums taken in double (long double's job for T = double is done by the bound: k
// roundings of the terms in the accumulator's precision, and one of the result).
template <class Device, class T>
void check(const Case& test) {
  const GemmShape& s = test.s;
  const Operands<T> x(s);
  const std::vector<T> c = run<Device>(test, x);
  std::vector<bool> written(c.size(), false);
  const std::int64_t products = s.sum_batch ? 1 : s.batch;
  double worst = 0;
  for (std::int64_t o = 0; o < products; ++o) {
    for (std::int64_t i = 0; i < s.m; ++i) {
      for (std::int64_t j = 0; j < s.n; ++j) {
        const auto at = static_cast<std::size_t>(o * s.stride_c + i * s.ldc + j);
        long double sum = 0, magnitude = 0;
        for (std::int64_t p = s.sum_batch ? 0 : o; p < (s.sum_batch ? s.batch : o + 1); ++p) {
          for (std::int64_t l = 0; l < s.k; ++l) {
            const std::int64_t ai = p * s.stride_a + (s.trans_a ? l * s.lda + i : i * s.lda + l);
            const std::int64_t bi = p * s.stride_b + (s.trans_b ? j * s.ldb + l : l * s.ldb + j);
            const long double term =
                static_cast<long double>(value(x.a[std::size_t(ai)])) * value(x.b[std::size_t(bi)]);
            sum += test.alpha * term;
            magnitude += std::abs(test.alpha * term);
          }
        }
        double bias = 0;
        if (test.bias == GemmBias::per_row) bias = value(x.bias[std::size_t(i)]);
        if (test.bias == GemmBias::per_column) bias = value(x.bias[std::size_t(j)]);
        const double scaled = test.beta * value(x.c[at]);
        sum += scaled + bias;
        magnitude += std::abs(scaled) + std::abs(bias);
        const double terms = static_cast<double>(s.k * (s.sum_batch ? s.batch : 1) + 4);
        const double bound =
            unit_roundoff<T>() * std::abs(static_cast<double>(sum)) +
            terms * unit_roundoff<accumulator_t<T>>() * static_cast<double>(magnitude);
        const double error = std::abs(static_cast<double>(value(c[at]) - sum));
        worst = std::max(worst, bound == 0 ? (error == 0 ? 0 : 2) : error / bound);
        written[at] = true;
      }
    }
  }
  CHECK(worst <= 1);
  bool untouched = true;  // the gaps between rows and matrices
  for (std::size_t i = 0; i < c.size(); ++i) {
    if (!written[i]) untouched = untouched && value(c[i]) == value(x.c[i]);
  }
  CHECK(untouched);
}

// Every layout.
template <class Device, class T>
void check_layouts() {
  for (const bool ta : {false, true}) {
    for (const bool tb : {false, true}) {
      CAPTURE(ta, tb);
      check<Device, T>({shape(1, 1, 1, ta, tb)});
      check<Device, T>({shape(3, 5, 7, ta, tb, 2), 0.5, -2.0});
      check<Device, T>({shape(33, 17, 65, ta, tb, 1), 1.0, 1.0, GemmBias::per_row});
      check<Device, T>({shape(16, 31, 8, ta, tb, 3, 3), 2.0, 0.0, GemmBias::per_column});
      check<Device, T>({shape(16, 31, 8, ta, tb, 3, 3), 1.0, 0.5, GemmBias::per_row});
      GemmShape summed = shape(5, 6, 7, ta, tb, 2, 4);
      summed.sum_batch = true;
      check<Device, T>({summed, 1.5, 0.25, GemmBias::per_column});
      GemmShape shared = shape(9, 10, 11, ta, tb, 1, 3);
      shared.stride_a = 0;
      check<Device, T>({shared});
      shared = shape(9, 10, 11, ta, tb, 1, 3);
      shared.stride_b = 0;
      check<Device, T>({shared, 1.0, 0.0, GemmBias::per_row});
    }
  }
}
// C, or its parts, that have work for all.
template <class Device>
void check_large() {
  check<Device, float>({shape(700, 40, 200, false, true), 1.0, 0.0, GemmBias::per_column});
  check<Device, float>({shape(40, 700, 200, true, false), 1.0, 1.0, GemmBias::per_row});
  check<Device, float>({shape(40, 700, 200, false, true), 1.0, 0.5, GemmBias::per_column});
  check<Device, float>({shape(24, 40, 5000, true, false, 1), 1.0, 0.5, GemmBias::per_row});
  check<Device, double>({shape(24, 40, 5000, true, true, 1), 2.0, 0.0});
  check<Device, bfloat16>({shape(24, 40, 5000, true, false), 1.0, 0.0, GemmBias::per_column});
  GemmShape summed = shape(60, 50, 500, false, false, 0, 7);
  summed.sum_batch = true;
  check<Device, float>({summed});
  check<Device, double>({summed, 1.0, 1.0, GemmBias::per_row});
}

// beta * C + bias.
template <class Device>
void check_sizes_of_zero() {
  for (const GemmBias bias : {GemmBias::none, GemmBias::per_row, GemmBias::per_column}) {
    for (const double beta : {0.0, 0.5}) {
      check<Device, float>({shape(4, 3, 0, false, false, 1, 2), 1.0, beta, bias});
      check<Device, float16>({shape(4, 3, 0, false, true, 1, 2), 1.0, beta, bias});
      check<Device, double>({shape(0, 3, 5, false, false, 1), 1.0, beta, bias});
      check<Device, double>({shape(3, 0, 5, false, false, 1), 1.0, beta, bias});
      check<Device, float>({shape(3, 2, 5, false, false, 1, 0), 1.0, beta, bias});
      GemmShape none = shape(4, 3, 5, false, false);
      none.batch = 0;
      none.sum_batch = true;
      OnDevice<Device, float> c(std::vector<float>(12, 2.0F));
      const OnDevice<Device, float> biases(std::vector<float>(4, 1.0F));
      Workspace<Device> scratch(gemm_workspace_bytes<Device, float>(none));
      gemm<Device, float>(none, 1.0, nullptr, nullptr, beta, c.data(), bias, biases.data(),
                          scratch.data(), nullptr);
      for (const float v : c.values()) CHECK(v == 2 * beta + (bias == GemmBias::none ? 0 : 1));
    }
  }
}

template <class Device>
void check_that_beta_zero_does_not_read() {
  for (const GemmBias bias : {GemmBias::none, GemmBias::per_row, GemmBias::per_column}) {
    const Case test{shape(4, 4, 4, false, false), 1.0, 0.0, bias};
    Operands<float> x(test.s);
    std::fill(x.c.begin(), x.c.end(), NAN);
    const std::vector<float> c = run<Device>(test, x);
    for (std::size_t i = 0; i < 16; ++i) CHECK(std::isfinite(c[i]));
  }
}

template <class Device, class T>
void check_channel_sum(std::int64_t B, std::int64_t C, std::int64_t L) {
  CAPTURE(B, C, L);
  const std::vector<T> x = random_values<T>(B * C * L, 7);
  const OnDevice<Device, T> in(x);
  OnDevice<Device, T> out(std::vector<T>(static_cast<std::size_t>(C), T(-1.0F)));
  Workspace<Device> scratch(channel_sum_workspace_bytes<Device, T>(B, C, L));
  channel_sum<Device, T>(B, C, L, in.data(), out.data(), scratch.data(), nullptr);
  const std::vector<T> y = out.values();
  double worst = 0;
  for (std::int64_t c = 0; c < C; ++c) {
    double sum = 0, magnitude = 0;
    for (std::int64_t b = 0; b < B; ++b) {
      for (std::int64_t t = 0; t < L; ++t) {
        sum += value(x[std::size_t((b * C + c) * L + t)]);
        magnitude += std::abs(value(x[std::size_t((b * C + c) * L + t)]));
      }
    }
    // At most so many are added one after the other before sums go on in double.
    const double bound =
        300 * unit_roundoff<accumulator_t<T>>() * magnitude + unit_roundoff<T>() * std::abs(sum);
    const double error = std::abs(value(y[std::size_t(c)]) - sum);
    worst = std::max(worst, bound == 0 ? (error == 0 ? 0 : 2) : error / bound);
  }
  CHECK(worst <= 1);
}

}  // namespace crocuta::test::gemm_cases
