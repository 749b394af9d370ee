#include "framework/device/threads.h"
#include "tests/kernels/gemm_case.h"

using namespace crocuta;
using namespace crocuta::test::gemm_cases;

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
