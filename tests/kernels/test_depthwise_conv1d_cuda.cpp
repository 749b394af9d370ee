// The depthwise convolution on a GPU, held to the same as on the CPU.
#include <cstdlib>

#include "framework/device/device.h"
#include "kernels/cuda/depthwise_conv1d/launch.h"
#include "tests/kernels/depthwise_conv1d_checks.h"
#include "tests/kernels/device_vector.h"
#include "tests/support/catch.h"

namespace crocuta::test {

template <class T>
class DeviceArray<kernels::Cuda, T> : public DeviceVector<T> {
  using DeviceVector<T>::DeviceVector;
};

namespace {

using kernels::Cuda;

#define NEEDS_GPU() \
  if (cuda_device_count() == 0) SKIP_TEST("no GPU")

// How many random configurations to try; CROCUTA_TEST_CASES asks for more.
int case_count() {
  const char* wanted = std::getenv("CROCUTA_TEST_CASES");
  return wanted ? std::atoi(wanted) : 2000;
}

// A thread adds up to 1,024 products, a warp's 32 threads as a tree; all else is added in double:
// the warps or segments of a block, then the blocks of a group.
std::int64_t sum_depth(const DepthwiseConv1dShape& shape) {
  return kernels::kLongTerms + 5 + 128 + shape.batch * shape.group_dim * (shape.length / 1024 + 1);
}

// All types, short and long filters, causal and not, with rows that begin on and past boundaries.
template <class Check>
void for_shapes(Check check) {
  for (const std::int64_t K : {1, 2, 3, 4, 5, 6, 7, 8, 9, 16, 17, 31, 40}) {
    for (const std::int64_t L : {1, 2, 7, 8, 9, 16, 31, 33, 64, 129, 512, 577}) {
      for (const bool causal : {true, false}) {
        check(DepthwiseConv1dShape{2, 3, L, K, causal ? K - 1 : (K - 1) / 2, 1, 2, 2});
      }
    }
  }
}

}  // namespace

TEST_CASE("random depthwise convolutions on the GPU stay within the rounding bound") {
  NEEDS_GPU();
  check_random_cases<Cuda>(case_count(), 129, 600, sum_depth);
}

TEST_CASE("depthwise convolutions of small integers are exact on the GPU") {
  NEEDS_GPU();
  std::mt19937_64 random(7);
  std::uniform_int_distribution<int> digit(-3, 3);
  const auto draw = [&] { return digit(random); };
  for_shapes([&](const DepthwiseConv1dShape& shape) {
    check_integers<float, Cuda>(ConvInputs<float>(shape, draw));
    check_integers<double, Cuda>(ConvInputs<double>(shape, draw));
    check_integers<bfloat16, Cuda>(ConvInputs<bfloat16>(shape, draw));
    check_integers<float16, Cuda>(ConvInputs<float16>(shape, draw));
  });
}

TEST_CASE("filters with any padding, longer than a chunk, or longer than the row are exact") {
  NEEDS_GPU();
  std::mt19937_64 random(8);
  std::uniform_int_distribution<int> digit(-2, 2);
  const auto draw = [&] { return digit(random); };
  for (const std::int64_t left : {0, 1, 2, 3}) {
    check_integers<float, Cuda>({{2, 3, 45, 4, left, 0, 1, 3}, draw});
    check_integers<bfloat16, Cuda>({{2, 3, 45, 4, left, 0, 1, 3}, draw});
  }
  for (const std::int64_t K : {127, 128, 129, 253, 256, 257, 300, 600, 1031}) {
    for (const std::int64_t L : {3, 100, 700}) {
      for (const std::int64_t left : {std::int64_t{0}, K / 3, (K - 1) / 2, K - 1}) {
        const DepthwiseConv1dShape shape{1, 2, L, K, left, 0, 1, 2};
        check_integers<float, Cuda>({shape, draw});
        check_integers<double, Cuda>({shape, draw});
        check_integers<bfloat16, Cuda>({shape, draw});
      }
    }
  }
}

TEST_CASE("rows of several tiles, and many rows, are exact on the GPU") {
  NEEDS_GPU();
  std::mt19937_64 random(9);
  std::uniform_int_distribution<int> digit(-1, 1);
  const auto draw = [&] { return digit(random); };
  for (const std::int64_t K : {1, 4, 8, 9, 40}) {
    for (const std::int64_t L : {2047, 2064, 4111, 8191, 33001}) {
      check_integers<float, Cuda>({{1, 2, L, K, (K - 1) / 2, 0, 1, 2}, draw});
      check_integers<bfloat16, Cuda>({{1, 2, L, K, K - 1, 0, 1, 2}, draw});
    }
    // More batches than a grid has blocks along y and z; groups of many channels.
    check_integers<float, Cuda>({{65537, 2, 1, K, K - 1, 0, 1, 2}, draw});
    check_integers<bfloat16, Cuda>({{70001, 1, 3, K, K - 1, 0, 1, 1}, draw});
    check_integers<float, Cuda>({{2, 3000, 5, K, K - 1, 0, 3000, 1}, draw});
  }
}

TEST_CASE("y and dx on the GPU have the same bits for every slice of channels") {
  NEEDS_GPU();
  for (const std::int64_t K : {3, 4, 31}) {
    for (const std::int64_t groups : {12, 4, 3, 1}) {
      const DepthwiseConv1dShape shape{2, 12, 333, K, K - 1, 0, 12 / groups, groups};
      check_slices<float, Cuda>(shape, 1e-5);
      check_slices<double, Cuda>(shape, 1e-12);
    }
  }
  // A half type rounds each rank's part once.
  check_slices<bfloat16, Cuda>({2, 12, 333, 4, 3, 0, 3, 4}, std::ldexp(1.0, -7));
  check_slices<float16, Cuda>({2, 12, 333, 4, 3, 0, 3, 4}, std::ldexp(1.0, -10));
}

TEST_CASE("y on the GPU has the bits of a plain chain of multiply-adds") {
  NEEDS_GPU();
  for_shapes([](const DepthwiseConv1dShape& s) {
    const auto in = normal_inputs<float>(s, 14);
    std::vector<float> want;
    for (std::int64_t row = 0; row < s.batch * s.channels; ++row) {
      const std::int64_t g = s.group(row % s.channels);
      for (std::int64_t t = 0; t < s.length; ++t) {
        float sum = 0;
        for (std::int64_t k = 0; k < s.kernel_size; ++k) {
          const std::int64_t from = t + k - s.left_padding;
          if (from < 0 || from >= s.length) continue;
          sum = std::fma(in.weight[static_cast<std::size_t>(g * s.kernel_size + k)],
                         in.x[static_cast<std::size_t>(row * s.length + from)], sum);
        }
        want.push_back(sum + in.bias[static_cast<std::size_t>(g)]);
      }
    }
    INFO(describe(s));
    REQUIRE(same_bits(run_forward<float, Cuda>(in), want));
  });
}

TEST_CASE("bits on the GPU do not depend on the alignment of the data, nor on the run") {
  NEEDS_GPU();
  for (const std::int64_t K : {2, 4, 20}) {
    for (const std::int64_t L : {201, 512}) {
      const DepthwiseConv1dShape shape{2, 3, L, K, K - 1, 0, 1, 3};
      const auto in = normal_inputs<float>(shape, 5);
      const auto half = normal_inputs<bfloat16>(shape, 5);
      const auto want = run<float, Cuda>(in);
      const auto want_half = run<bfloat16, Cuda>(half);
      for (std::size_t shift = 0; shift < 9; ++shift) {
        INFO(describe(shape) << ", shifted by " << shift);
        CHECK(same_bits(run<float, Cuda>(in, true, kAll, shift), want));
        CHECK(same_bits(run<bfloat16, Cuda>(half, true, kAll, shift), want_half));
      }
    }
  }
}

TEST_CASE("each gradient on the GPU is the same, wanted alone or with the others") {
  NEEDS_GPU();
  for (const std::int64_t K : {1, 4, 8, 9, 33}) {
    check_wanted_alone<Cuda>({2, 4, 2500, K, (K - 1) / 2, 0, 2, 2});
    check_wanted_alone<Cuda>({3, 2, 100, K, K - 1, 0, 1, 2});
  }
}

TEST_CASE("NaN and infinity on the GPU spread exactly where the formula says") {
  NEEDS_GPU();
  std::mt19937_64 random(11);
  std::normal_distribution<double> normal;
  for (int i = 0; i < 400; ++i) {
    const DepthwiseConv1dShape shape = random_shape(random, 40, 90);
    // At most a few special values per tensor, so that most places stay finite.
    const auto draw = [&] {
      const auto u = random() % 100;
      return u == 0 ? NAN : u == 1 ? INFINITY : u == 2 ? 0.0 : normal(random);
    };
    check_nan_places<float, Cuda>(ConvInputs<float>(shape, draw));
    check_nan_places<double, Cuda>(ConvInputs<double>(shape, draw));
    check_nan_places<bfloat16, Cuda>(ConvInputs<bfloat16>(shape, draw));
    check_nan_places<float16, Cuda>(ConvInputs<float16>(shape, draw));
  }
}

TEST_CASE("a causal convolution on the GPU never carries a sample back in time") {
  NEEDS_GPU();
  for (const std::int64_t K : {2, 4, 17}) check_causality<Cuda>(K, 150);
}

}  // namespace crocuta::test
