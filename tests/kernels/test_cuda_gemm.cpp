#include <thread>

#include "kernels/cuda/gemm_library.h"
#include "kernels/error.h"
#include "tests/kernels/gemm_case.h"

using namespace crocuta;
using namespace crocuta::test;
using namespace crocuta::test::gemm_cases;

namespace {

const char* const kNoGpu = "no GPU to multiply matrices on";

GemmShape summed(GemmShape s) {
  s.sum_batch = true;
  return s;
}

}  // namespace

TEST_CASE("on the GPU products match the sums they stand for, in every layout and dtype") {
  if (!gpu_present()) SKIP_TEST(kNoGpu);
  SECTION("float32") {
    check_layouts<Cuda, float>();
  }
  SECTION("float64") {
    check_layouts<Cuda, double>();
  }
  SECTION("bfloat16") {
    check_layouts<Cuda, bfloat16>();
  }
  SECTION("float16") {
    check_layouts<Cuda, float16>();
  }
}

TEST_CASE("on the GPU large products match too") {
  if (!gpu_present()) SKIP_TEST(kNoGpu);
  check_large<Cuda>();
}

TEST_CASE("on the GPU sizes of zero give beta * C + bias") {
  if (!gpu_present()) SKIP_TEST(kNoGpu);
  check_sizes_of_zero<Cuda>();
}

TEST_CASE("on the GPU with beta 0 the old contents of C do not matter") {
  if (!gpu_present()) SKIP_TEST(kNoGpu);
  check_that_beta_zero_does_not_read<Cuda>();
}

TEST_CASE("on the GPU sums over a batch match in one part, in several, and as one longer product") {
  if (!gpu_present()) SKIP_TEST(kNoGpu);
  for (const GemmBias bias : {GemmBias::none, GemmBias::per_row, GemmBias::per_column}) {
    for (const bool gaps : {false, true}) {
      CAPTURE(static_cast<int>(bias), gaps);
      // Without gaps, and A transposed, the second one is a single product.
      const GemmShape small = summed(shape(5, 6, 7, false, false, gaps ? 2 : 0, 13));
      const GemmShape longer = summed(shape(5, 8, 7, true, false, gaps ? 2 : 0, 13));
      check<Cuda, float>({small, 1.5, 0.25, bias});
      check<Cuda, bfloat16>({small, 1.5, 0.25, bias});
      check<Cuda, float>({longer, 1.5, 0.0, bias});
      check<Cuda, float16>({longer, 0.5, 1.0, bias});
    }
    // Rows of A, and of B^T, side by side in longer ones.
    GemmShape side_by_side = summed(shape(5, 6, 7, false, true, 0, 4));
    side_by_side.lda = side_by_side.ldb = 4 * 7 + 1;
    side_by_side.stride_a = side_by_side.stride_b = 7;
    check<Cuda, float>({side_by_side, 1.5, 0.25, bias});
    side_by_side.lda = 7 + 1;  // overlapping: not one product
    check<Cuda, float>({side_by_side, 1.5, 0.25, bias});
    check<Cuda, float>({summed(shape(1, 2, 7, false, false, 0, 4)), 1.5, 0.25, bias});
    check<Cuda, float>({summed(shape(1, 1, 7, false, true, 0, 4)), 1.5, 0.25, bias});
    // A C so large that parts would not help: products are added to it one after the other.
    check<Cuda, float>({summed(shape(2100, 2000, 3, false, true, 0, 3)), 1.0, 0.5, bias});
    check<Cuda, float16>({summed(shape(2100, 2000, 2, false, true, 0, 2)), 1.0, 0.5, bias});
  }
}

TEST_CASE("on the GPU a bias on top of a scaled C is rounded once, in tiles of any shape") {
  if (!gpu_present()) SKIP_TEST(kNoGpu);
  for (const GemmBias bias : {GemmBias::per_row, GemmBias::per_column}) {
    check<Cuda, bfloat16>({shape(3, (1 << 22) + 5, 1, false, true), 1.0, 0.5, bias});
    check<Cuda, float16>({shape(2051, 2048, 2, true, false), 1.0, 0.5, bias});
  }
}

TEST_CASE("on the GPU small products of 16-bit numbers with a bias are rounded once") {
  if (!gpu_present()) SKIP_TEST(kNoGpu);
  const std::vector<std::int64_t> sizes = {2, 8, 12, 16, 40, 64};
  for (const std::int64_t m : sizes) {
    for (const std::int64_t n : sizes) {
      for (const std::int64_t k : sizes) {
        CAPTURE(m, n, k);
        for (const GemmBias bias : {GemmBias::per_row, GemmBias::per_column}) {
          check<Cuda, bfloat16>({shape(m, n, k, false, true), 1.0, 0.0, bias});
          check<Cuda, float16>({shape(m, n, k, false, true), 1.0, 0.0, bias});
        }
      }
    }
  }
}

TEST_CASE("on the GPU vectors, single rows and prime sizes match") {
  if (!gpu_present()) SKIP_TEST(kNoGpu);
  for (const GemmBias bias : {GemmBias::none, GemmBias::per_row, GemmBias::per_column}) {
    check<Cuda, float>({shape(1, 257, 31, false, true), 1.0, 0.0, bias});
    check<Cuda, float>({shape(257, 1, 31, false, true), 1.0, 0.0, bias});
    check<Cuda, double>({shape(1, 1, 1009, true, true), 1.0, 0.0, bias});
    check<Cuda, bfloat16>({shape(127, 131, 1, false, false), 1.0, 0.0, bias});
    check<Cuda, bfloat16>({shape(127, 128, 13, false, true), 1.0, 0.0, bias});
  }
}

TEST_CASE("on the GPU more products than a grid has blocks along z") {
  if (!gpu_present()) SKIP_TEST(kNoGpu);
  check<Cuda, float>({shape(1, 2, 1, false, false, 0, 65'537), 1.0, 0.0, GemmBias::per_column});
  check<Cuda, float>({summed(shape(1, 2, 1, false, false, 0, 65'537))});
  check<Cuda, float>({summed(shape(3, 2, 1, false, false, 1, 65'537))});
}

TEST_CASE("on the GPU a product has the same bits every time, from any thread") {
  if (!gpu_present()) SKIP_TEST(kNoGpu);
  for (const GemmShape& s :
       {shape(300, 40, 700, false, true), summed(shape(60, 50, 500, true, true, 0, 7))}) {
    const Case test{s, 1.0, 0.0, GemmBias::per_column};
    const Operands<float> x(s);
    const std::vector<float> first = run<Cuda>(test, x);
    CHECK(run<Cuda>(test, x) == first);
    std::vector<std::vector<float>> others(4);
    std::vector<std::thread> threads;
    for (std::vector<float>& other : others) {
      threads.emplace_back([&] { other = run<Cuda>(test, x); });
    }
    for (std::thread& thread : threads) thread.join();
    for (const std::vector<float>& other : others) CHECK(other == first);
  }
}

TEST_CASE("on the GPU channel sums add up batch and length") {
  if (!gpu_present()) SKIP_TEST(kNoGpu);
  for (const std::int64_t L : {0, 1, 3, 15, 16, 255, 256, 257, 4097}) {
    check_channel_sum<Cuda, float>(3, 5, L);
    check_channel_sum<Cuda, bfloat16>(3, 5, L);
  }
  check_channel_sum<Cuda, double>(2, 3, 1000);
  check_channel_sum<Cuda, float16>(2, 3, 1000);
  check_channel_sum<Cuda, float>(0, 5, 7);
  check_channel_sum<Cuda, float>(2, 0, 7);
  check_channel_sum<Cuda, float>(3, 2, 50'001);  // in parts
  check_channel_sum<Cuda, float>(100'000, 1, 1);
  check_channel_sum<Cuda, float>(1, 3000, 2);
}

TEST_CASE("what cuBLAS refuses is an error that names the op and the reason") {
  if (!gpu_present()) SKIP_TEST(kNoGpu);
  const GemmShape s = [] {
    GemmShape s = shape(4, 4, 4, false, false);
    s.lda = 3;
    return s;
  }();
  const Operands<float> x(shape(4, 4, 4, false, false));
  const OnDevice<Cuda, float> a(x.a), b(x.b);
  OnDevice<Cuda, float> c(x.c);
  Workspace<Cuda> scratch(gemm_workspace_bytes<Cuda, float>(s));
  try {
    gemm<Cuda, float>(s, 1, a.data(), b.data(), 0, c.data(), GemmBias::none, nullptr,
                      scratch.data(), nullptr);
    FAIL("no error");
  } catch (const DeviceError& error) {
    CHECK_THAT(error.what(), ContainsSubstring("gemm: cuBLAS failed with") &&
                                 ContainsSubstring("CUBLAS_STATUS_INVALID_VALUE"));
  }
}
