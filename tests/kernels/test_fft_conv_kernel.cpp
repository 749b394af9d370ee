#include "framework/device/threads.h"
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

TEST_CASE("rows of many passes match the sums too") {
  for (const bool gated : {false, true}) {
    check<Cpu, float>(gated, 2, 1, 2561);  // n = 3072, odd radix first
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

TEST_CASE("a row has the same bits alone and among others") {
  const int64_t B = 3, C = 5;
  for (const int64_t L : {5, 300, 1024, 2000}) {
    Problem<Cpu, float> all(true, B, C, L);
    all.run();
    for (int64_t b = 0; b < B; ++b) {
      for (int64_t c = 0; c < C; ++c) {
        CAPTURE(L, b, c);
        Problem<Cpu, float> one(true, 1, 1, L);
        const int64_t row = (b * C + c) * L;
        std::copy_n(all.x.begin() + 3 * row, 3 * L, one.x.begin());
        std::copy_n(all.dy.begin() + row, L, one.dy.begin());
        std::copy_n(all.k.begin() + c * L, L, one.k.begin());
        one.skip[0] = all.skip[static_cast<std::size_t>(c)];
        one.run();
        CHECK(std::equal(one.y.begin(), one.y.end(), all.y.begin() + row));
        CHECK(std::equal(one.dx.begin(), one.dx.end(), all.dx.begin() + 3 * row));
      }
    }
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
