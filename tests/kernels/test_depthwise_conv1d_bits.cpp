// What the depthwise convolution kernels promise about bits: they depend neither on threads, nor on
// the slice of channels, nor on alignment, and NaN goes where the formula says and nowhere else.
#include <cmath>
#include <cstring>

#include "framework/device/threads.h"
#include "tests/kernels/depthwise_conv1d_checks.h"
#include "tests/support/catch.h"

namespace crocuta::test {

TEST_CASE("the depthwise convolution has the same bits at every thread count") {
  const NumThreads restored(1);
  for (const std::int64_t K : {1, 3, 4, 8, 9, 31}) {
    for (const auto& [channels, length] :
         {std::pair<std::int64_t, std::int64_t>{3, 40001}, {60, 1037}, {300, 100}, {1, 100000}}) {
      const DepthwiseConv1dShape shape{2, channels, length, K, (K - 1) / 2, 0, channels, 1};
      INFO(describe(shape));
      const auto in = normal_inputs<float>(shape, 1);
      set_num_threads(1);
      const auto alone = run(in);
      for (const int threads : {2, 3, 4, 7}) {
        set_num_threads(threads);
        CHECK(same_bits(run(in), alone));
      }
    }
  }
}

TEST_CASE("y and dx have the same bits for every slice of channels, and gradients add up") {
  for (const std::int64_t K : {3, 4, 31}) {
    for (const std::int64_t groups : {12, 4, 3, 1}) {
      const DepthwiseConv1dShape shape{2, 12, 333, K, K - 1, 0, 12 / groups, groups};
      check_slices<float>(shape, 1e-5);
      check_slices<double>(shape, 1e-12);
    }
  }
  // A half type rounds each rank's part once.
  check_slices<bfloat16>({2, 12, 333, 4, 3, 0, 3, 4}, std::ldexp(1.0, -7));
  check_slices<float16>({2, 12, 333, 4, 3, 0, 3, 4}, std::ldexp(1.0, -10));
}

TEST_CASE("bits do not depend on the alignment of the data") {
  for (const std::int64_t K : {2, 4, 20}) {
    const DepthwiseConv1dShape shape{1, 3, 201, K, K - 1, 0, 1, 3};
    const auto in = normal_inputs<float>(shape, 5);
    const auto want = run(in);
    for (std::size_t shift = 1; shift < 16; ++shift)
      CHECK(same_bits(run(in, true, kAll, shift), want));
  }
}

TEST_CASE("results too large for the caches have the bits of small ones") {
  const NumThreads alone(1);  // whose share of the caches is smallest
  const DepthwiseConv1dShape shape{1, 3504, 2003, 4, 2, 0, 1, 3504};
  const auto in = normal_inputs<float>(shape, 13);
  const auto large = run(in);
  for (std::int64_t first = 0; first < shape.channels; first += 438) {
    const auto small = run(slice(in, first, 438));
    const auto* y = large.y.data() + first * shape.length;
    const auto* dx = large.dx.data() + first * shape.length;
    CHECK(std::memcmp(small.y.data(), y, small.y.size() * sizeof(float)) == 0);
    CHECK(std::memcmp(small.dx.data(), dx, small.dx.size() * sizeof(float)) == 0);
    CHECK(std::memcmp(small.dweight.data() + first * 4, large.dweight.data() + first * 4,
                      438 * 4 * sizeof(float)) == 0);
  }
}

TEST_CASE("each gradient is the same, wanted alone or with the others") {
  for (const std::int64_t K : {1, 4, 8, 9, 33}) {
    check_wanted_alone<kernels::Cpu>({2, 4, 2500, K, (K - 1) / 2, 0, 2, 2});
  }
}

TEST_CASE("NaN and infinity spread exactly where the formula says") {
  std::mt19937_64 random(11);
  std::normal_distribution<double> normal;
  for (int i = 0; i < 400; ++i) {
    const DepthwiseConv1dShape shape = random_shape(random, 40, 90);
    // At most a few special values per tensor, so that most places stay finite.
    const auto draw = [&] {
      const auto u = random() % 100;
      return u == 0 ? NAN : u == 1 ? INFINITY : u == 2 ? 0.0 : normal(random);
    };
    check_nan_places(ConvInputs<float>(shape, draw));
    check_nan_places(ConvInputs<double>(shape, draw));
    check_nan_places(ConvInputs<bfloat16>(shape, draw));
    check_nan_places(ConvInputs<float16>(shape, draw));
  }
}

TEST_CASE("a causal convolution never carries a sample back in time") {
  for (const std::int64_t K : {2, 4, 17}) check_causality<kernels::Cpu>(K, 150);
}

}  // namespace crocuta::test
