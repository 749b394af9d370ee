#include <array>
#include <cstring>

#include "framework/device/threads.h"
#include "kernels/cpu/simd.h"
#include "tests/kernels/gemm_case.h"

using namespace crocuta;
using namespace crocuta::test::gemm_cases;

namespace {

// start + an element of a product, by the definition of its bits.
template <class T>
accumulator_t<T> chained(const GemmShape& s, const Operands<T>& x, std::int64_t i, std::int64_t j,
                         accumulator_t<T> start) {
  using A = accumulator_t<T>;
  A total = start;
  for (std::int64_t first = 0; first < s.k; first += 256) {
    A sum = 0;
    for (std::int64_t l = first; l < std::min<std::int64_t>(first + 256, s.k); ++l) {
      const T a = x.a[static_cast<std::size_t>(s.trans_a ? l * s.lda + i : i * s.lda + l)];
      const T b = x.b[static_cast<std::size_t>(s.trans_b ? j * s.ldb + l : l * s.ldb + j)];
      sum = simd::multiply_add(static_cast<A>(a), static_cast<A>(b), sum);
    }
    total += sum;
  }
  return total;
}

// Every element of products too small to be cut into tasks against it.
template <class T>
void check_chains() {
  for (const auto& [m, n, k] : {std::array<std::int64_t, 3>{1, 70, 300},
                                {13, 33, 256},
                                {31, 65, 257},
                                {300, 7, 600},
                                {25, 32, 513},
                                {2, 515, 40},
                                {12, 64, 1},
                                {271, 17, 5}}) {
    for (const int layout : {0, 1, 2, 3}) {
      const GemmShape s = shape(m, n, k, layout % 2 == 1, layout / 2 == 1, 3);
      CAPTURE(m, n, k, layout);
      const Operands<T> x(s);
      const std::vector<T> c = run<Cpu>(Case{s, 1, 0, GemmBias::per_column}, x);
      std::int64_t different = 0;
      for (std::int64_t i = 0; i < m; ++i) {
        for (std::int64_t j = 0; j < n; ++j) {
          using A = accumulator_t<T>;
          const A bias = static_cast<A>(x.bias[static_cast<std::size_t>(j)]);
          // 16-bit products are summed apart from the bias.
          const T expected = std::is_same_v<T, A>
                                 ? T(chained(s, x, i, j, bias))
                                 : T(static_cast<A>(bias + chained(s, x, i, j, A(0))));
          different += value(c[static_cast<std::size_t>(i * s.ldc + j)]) != value(expected);
        }
      }
      CHECK(different == 0);
    }
  }
}

// FNV-1a of the bits of products that are cut into tasks, summed over k and batches in parts.
template <class T>
std::uint64_t hash_of_products() {
  GemmShape summed = shape(60, 50, 500, true, true, 0, 40);
  summed.sum_batch = true;
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (const GemmShape& s : {shape(700, 140, 300, false, true), shape(48, 40, 9000, true, false),
                             shape(129, 1031, 67, false, false), summed}) {
    for (const T y : run<Cpu>(Case{s, 0.5, 0.25, GemmBias::per_row}, Operands<T>(s))) {
      std::uint64_t bits = 0;
      std::memcpy(&bits, &y, sizeof y);
      hash = (hash ^ bits) * 0x100000001b3u;
    }
  }
  return hash;
}

}  // namespace

TEST_CASE("an element of a product is a chain of multiply-adds, bit for bit") {
  SECTION("float32") {
    check_chains<float>();
  }
  SECTION("float64") {
    check_chains<double>();
  }
  SECTION("bfloat16") {
    check_chains<bfloat16>();
  }
  SECTION("float16") {
    check_chains<float16>();
  }
}

#if defined(__FMA__) || defined(__ARM_FEATURE_FMA)
TEST_CASE("products have the bits of every other machine with fused multiply-adds") {
  CHECK(hash_of_products<float>() == 0x3f660b1803dc798fu);
  CHECK(hash_of_products<double>() == 0xdd5fc8ba30328a7du);
  CHECK(hash_of_products<bfloat16>() == 0x737423e62d1d3e40u);
  CHECK(hash_of_products<float16>() == 0x16cdd32761f079c5u);
}
#endif

TEST_CASE("products match the sums they stand for, in every layout and dtype") {
  SECTION("float32") {
    check_layouts<Cpu, float>();
  }
  SECTION("float64") {
    check_layouts<Cpu, double>();
  }
  SECTION("bfloat16") {
    check_layouts<Cpu, bfloat16>();
  }
  SECTION("float16") {
    check_layouts<Cpu, float16>();
  }
}

TEST_CASE("products that are cut into tasks match too") {
  check_large<Cpu>();
}

TEST_CASE("sizes of zero give beta * C + bias") {
  check_sizes_of_zero<Cpu>();
}

TEST_CASE("with beta 0 the old contents of C do not matter") {
  check_that_beta_zero_does_not_read<Cpu>();
}

TEST_CASE("a product has the same bits at any thread count") {
  const NumThreads restored(1);
  GemmShape summed = shape(60, 50, 500, true, true, 0, 7);
  summed.sum_batch = true;
  for (const GemmShape& s :
       {shape(700, 40, 300, false, true), shape(48, 40, 9000, true, false),
        shape(129, 1031, 67, false, false), shape(100, 90, 80, true, false, 0, 5), summed,
        shape(33, 40, 50, false, true)}) {
    const Case test{s, 1.0, 0.0, GemmBias::per_column};
    const Operands<float> x(s);
    set_num_threads(1);
    const std::vector<float> one = run<Cpu>(test, x);
    for (const int threads : {2, 3, 4}) {
      set_num_threads(threads);
      CHECK(run<Cpu>(test, x) == one);
      CHECK(num_threads() == threads);  // what the caller set is still set
    }
  }
}

TEST_CASE("channel sums add up batch and length") {
  for (const std::int64_t L : {0, 1, 15, 16, 17, 4095, 4097, 10000}) {
    check_channel_sum<Cpu, float>(3, 5, L);
  }
  check_channel_sum<Cpu, float>(0, 5, 7);
}
