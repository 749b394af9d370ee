#include "kernels/gemm.h"

#include <cmath>
#include <random>
#include <vector>

#include "tests/support/catch.h"

#if defined(_OPENMP)
#include <omp.h>
#endif

using namespace crocuta;
using namespace crocuta::kernels;

namespace {

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

template <class T>
std::vector<std::byte> workspace_for(const GemmShape& s) {
  return std::vector<std::byte>(gemm_workspace_bytes<Cpu, T>(s) + 64);
}
void* aligned(std::vector<std::byte>& bytes) {
  const auto address = reinterpret_cast<std::uintptr_t>(bytes.data());
  return reinterpret_cast<void*>((address + 63) / 64 * 64);
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
      : a(random_values<T>(std::max(s.stride_a, s.lda * (s.trans_a ? s.k : s.m)) * s.batch + 1, 1)),
        b(random_values<T>(std::max(s.stride_b, s.ldb * (s.trans_b ? s.n : s.k)) * s.batch + 1, 2)),
        c(random_values<T>(s.stride_c * s.batch + 1, 3)),
        bias(random_values<T>(std::max(s.m, s.n) + 1, 4)) {}
  std::vector<T> a, b, c, bias;
};

template <class T>
std::vector<T> run(const Case& test, const Operands<T>& x) {
  std::vector<T> c = x.c;
  std::vector<std::byte> scratch = workspace_for<T>(test.s);
  gemm<Cpu, T>(test.s, test.alpha, x.a.data(), x.b.data(), test.beta, c.data(), test.bias,
               x.bias.data(), aligned(scratch), nullptr);
  return c;
}

// Compares with sums taken in double (long double's job for T = double is done by the bound: k
// roundings of the terms in the accumulator's precision, and one of the result).
template <class T>
void check(const Case& test) {
  const GemmShape& s = test.s;
  const Operands<T> x(s);
  const std::vector<T> c = run(test, x);
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
        double add = test.beta * value(x.c[at]);
        if (test.bias == GemmBias::per_row) add += value(x.bias[std::size_t(i)]);
        if (test.bias == GemmBias::per_column) add += value(x.bias[std::size_t(j)]);
        sum += add;
        magnitude += std::abs(add);
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

template <class T>
void check_all() {
  for (const bool ta : {false, true}) {
    for (const bool tb : {false, true}) {
      CAPTURE(ta, tb);
      check<T>({shape(1, 1, 1, ta, tb)});
      check<T>({shape(3, 5, 7, ta, tb, 2), 0.5, -2.0});
      check<T>({shape(33, 17, 65, ta, tb, 1), 1.0, 1.0, GemmBias::per_row});
      check<T>({shape(16, 31, 8, ta, tb, 3, 3), 2.0, 0.0, GemmBias::per_column});
      check<T>({shape(16, 31, 8, ta, tb, 3, 3), 1.0, 0.5, GemmBias::per_row});
      GemmShape summed = shape(5, 6, 7, ta, tb, 2, 4);
      summed.sum_batch = true;
      check<T>({summed, 1.5, 0.25, GemmBias::per_column});
      GemmShape shared = shape(9, 10, 11, ta, tb, 1, 3);
      shared.stride_a = 0;
      check<T>({shared});
      shared = shape(9, 10, 11, ta, tb, 1, 3);
      shared.stride_b = 0;
      check<T>({shared, 1.0, 0.0, GemmBias::per_row});
    }
  }
}
}  // namespace

TEST_CASE("products match the sums they stand for, in every layout and dtype") {
  SECTION("float32") {
    check_all<float>();
  }
  SECTION("float64") {
    check_all<double>();
  }
  SECTION("bfloat16") {
    check_all<bfloat16>();
  }
  SECTION("float16") {
    check_all<float16>();
  }
}

TEST_CASE("products that are cut into tasks match too") {
  check<float>({shape(700, 40, 200, false, true), 1.0, 0.0, GemmBias::per_column});
  check<float>({shape(40, 700, 200, true, false), 1.0, 1.0, GemmBias::per_row});
  check<float>({shape(24, 40, 5000, true, false, 1), 1.0, 0.5, GemmBias::per_row});
  check<double>({shape(24, 40, 5000, true, true, 1), 2.0, 0.0});
  check<bfloat16>({shape(24, 40, 5000, true, false), 1.0, 0.0, GemmBias::per_column});
  GemmShape summed = shape(60, 50, 500, false, false, 0, 7);
  summed.sum_batch = true;
  check<float>({summed});
  check<double>({summed, 1.0, 1.0, GemmBias::per_row});
}

TEST_CASE("sizes of zero give beta * C + bias") {
  for (const GemmBias bias : {GemmBias::none, GemmBias::per_row, GemmBias::per_column}) {
    for (const double beta : {0.0, 0.5}) {
      check<float>({shape(4, 3, 0, false, false, 1, 2), 1.0, beta, bias});
      check<float16>({shape(4, 3, 0, false, true, 1, 2), 1.0, beta, bias});
      check<double>({shape(0, 3, 5, false, false, 1), 1.0, beta, bias});
      check<double>({shape(3, 0, 5, false, false, 1), 1.0, beta, bias});
      check<float>({shape(3, 2, 5, false, false, 1, 0), 1.0, beta, bias});
      GemmShape none = shape(4, 3, 5, false, false);
      none.batch = 0;
      none.sum_batch = true;
      std::vector<float> c(12, 2.0F), biases(4, 1.0F);
      gemm<Cpu, float>(none, 1.0, nullptr, nullptr, beta, c.data(), bias, biases.data(), nullptr,
                       nullptr);
      for (const float v : c) CHECK(v == 2 * beta + (bias == GemmBias::none ? 0 : 1));
    }
  }
}

TEST_CASE("with beta 0 the old contents of C do not matter") {
  const Case test{shape(4, 4, 4, false, false)};
  Operands<float> x(test.s);
  std::fill(x.c.begin(), x.c.end(), NAN);
  for (std::int64_t i = 0; i < 16; ++i) CHECK(std::isfinite(run(test, x)[std::size_t(i)]));
}

#if defined(_OPENMP)
TEST_CASE("a product has the same bits at any thread count") {
  const int before = omp_get_max_threads();
  GemmShape summed = shape(60, 50, 500, true, true, 0, 7);
  summed.sum_batch = true;
  for (const GemmShape& s :
       {shape(700, 40, 300, false, true), shape(48, 40, 9000, true, false),
        shape(129, 1031, 67, false, false), shape(100, 90, 80, true, false, 0, 5), summed,
        shape(33, 40, 50, false, true)}) {
    const Case test{s, 1.0, 0.0, GemmBias::per_column};
    const Operands<float> x(s);
    omp_set_num_threads(1);
    const std::vector<float> one = run(test, x);
    for (const int threads : {2, 3, 4}) {
      omp_set_num_threads(threads);
      CHECK(run(test, x) == one);
      CHECK(omp_get_max_threads() == threads);  // what the caller set is still set
    }
  }
  omp_set_num_threads(before);
}
#endif

TEST_CASE("channel sums add up batch and length") {
  const std::int64_t B = 3, C = 5;
  for (const std::int64_t L : {0, 1, 15, 16, 17, 4095, 4097, 10000}) {
    const std::vector<float> x = random_values<float>(B * C * L, 7);
    std::vector<float> y(5, -1.0F);
    channel_sum<Cpu, float>(B, C, L, x.data(), y.data(), nullptr, nullptr);
    for (std::int64_t c = 0; c < C; ++c) {
      double sum = 0, magnitude = 0;
      for (std::int64_t b = 0; b < B; ++b) {
        for (std::int64_t t = 0; t < L; ++t) {
          sum += static_cast<double>(x[std::size_t((b * C + c) * L + t)]);
          magnitude += std::abs(static_cast<double>(x[std::size_t((b * C + c) * L + t)]));
        }
      }
      CHECK(std::abs(static_cast<double>(y[std::size_t(c)]) - sum) <= 300 * 0x1p-24 * magnitude);
    }
  }
}
