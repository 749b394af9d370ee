#include "framework/device/threads.h"
#include "kernels/cpu/fft_plan.h"
#include "tests/kernels/fft_conv_case.h"

using namespace crocuta;
using namespace crocuta::test::fft_conv_cases;

TEST_CASE("the convolution and its gradients match the sums that define them") {
  SECTION("float32") {
    check_lengths<Cpu, float>();
  }
  SECTION("float64") {
    check_lengths<Cpu, double>();
  }
  SECTION("bfloat16") {
    check_lengths<Cpu, bfloat16>();
  }
  SECTION("float16") {
    check_lengths<Cpu, float16>();
  }
}

TEST_CASE("rows that are cut in four match the sums too") {
  for (const bool gated : {false, true}) {
    check<Cpu, float>(gated, 2, 1, 2561);  // the least, n = 4096
    check<Cpu, double>(gated, 1, 1, 4096);
    check<Cpu, double>(gated, 1, 2, 4099);
  }
}

TEST_CASE("long rows keep the promised accuracy") {
  check_long_rows<Cpu>();
}

TEST_CASE("no skip means zeros, and unwanted gradients are left out") {
  check_unwanted<Cpu>();
}

TEST_CASE("sizes of zero leave empty results and zero gradients") {
  check_sizes_of_zero<Cpu>();
}

TEST_CASE("a NaN stays in its row") {
  check_nan<Cpu>();
}

TEST_CASE("transform sizes are 2^i or 5 * 2^i, at most 1.6 times the length") {
  CHECK(right_angle_fft_size(1) == 1);
  CHECK(right_angle_fft_size(5) == 5);
  CHECK(right_angle_fft_size(1024) == 1024);
  CHECK(right_angle_fft_size(1025) == 1280);
  CHECK(right_angle_fft_size(1281) == 2048);
  for (int64_t length = 1; length < 5000; ++length) {
    const int64_t n = right_angle_fft_size(length);
    int64_t rest = n % 5 == 0 ? n / 5 : n;
    while (rest % 2 == 0) rest /= 2;
    REQUIRE(n >= length);
    REQUIRE(5 * n < 8 * length + 5);
    REQUIRE(rest == 1);
  }
}

TEST_CASE("the convolution has the same bits at any thread count") {
  const NumThreads restored(1);
  Problem<Cpu, float> one(true, 3, 7, 300);
  one.run();
  for (const int threads : {2, 3, 4}) {
    set_num_threads(threads);
    Problem<Cpu, float> p(true, 3, 7, 300);
    p.run();
    CHECK(p.y == one.y);
    CHECK(p.dx == one.dx);
    CHECK(p.dk == one.dk);
    CHECK(p.dskip == one.dskip);
  }
}
