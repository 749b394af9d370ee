// The values that the depthwise convolution kernels compute.
#include <cstdlib>

#include "tests/kernels/depthwise_conv1d_checks.h"
#include "tests/support/catch.h"

namespace crocuta::test {
namespace {

// How many random configurations to try; CROCUTA_TEST_CASES asks for more.
int case_count() {
  const char* wanted = std::getenv("CROCUTA_TEST_CASES");
  return wanted ? std::atoi(wanted) : 2000;
}

// The documented tree: at least four lanes share a block of 2,048 samples (the last may take a few
// more); lanes, blocks, batches and channels are added in double.
std::int64_t sum_depth(const DepthwiseConv1dShape& shape) {
  return 2048 / 4 + 8 + shape.batch * shape.group_dim;
}

template <class T>
std::vector<double> forward(const std::vector<double>& x, const std::vector<double>& weight,
                            bool causal) {
  DepthwiseConv1dShape shape;
  shape.batch = shape.channels = 1;
  shape.length = static_cast<std::int64_t>(x.size());
  shape.kernel_size = static_cast<std::int64_t>(weight.size());
  shape.left_padding = causal ? shape.kernel_size - 1 : (shape.kernel_size - 1) / 2;
  ConvInputs<T> in(shape, [] { return 0; });
  std::transform(x.begin(), x.end(), in.x.begin(), [](double v) { return rounded<T>(v); });
  std::transform(weight.begin(), weight.end(), in.weight.begin(),
                 [](double v) { return rounded<T>(v); });
  std::vector<double> values;
  for (T v : run_forward(in, false)) values.push_back(static_cast<double>(exact(v)));
  return values;
}

template <class T>
void check_values_by_hand() {
  using V = std::vector<double>;
  const V five{1, 2, 3, 4, 5}, four_taps{1, 10, 100, 1000};
  CHECK(forward<T>(five, four_taps, false) == V{3210, 4321, 5432, 543, 54});
  CHECK(forward<T>(five, four_taps, true) == V{1000, 2100, 3210, 4321, 5432});
  const V two{1, 2}, five_taps{1, 10, 100, 1000, 10000};
  CHECK(forward<T>(two, five_taps, false) == V{2100, 210});
  CHECK(forward<T>(two, five_taps, true) == V{10000, 21000});
}

}  // namespace

TEST_CASE("random depthwise convolutions stay within the rounding bound") {
  check_random_cases<kernels::Cpu>(case_count(), 129, 600, sum_depth);
}

TEST_CASE("depthwise convolutions of small integers are exact") {
  std::mt19937_64 random(7);
  std::uniform_int_distribution<int> digit(-3, 3);
  const auto draw = [&] { return digit(random); };
  for (int i = 0; i < 80; ++i) {
    const DepthwiseConv1dShape shape = random_shape(random, 129, 200);
    check_integers(ConvInputs<float>(shape, draw));
    check_integers(ConvInputs<double>(shape, draw));
    check_integers(ConvInputs<bfloat16>(shape, draw));
    check_integers(ConvInputs<float16>(shape, draw));
  }
}

TEST_CASE("every filter length meets every row length around the vector widths") {
  std::mt19937_64 random(8);
  std::uniform_int_distribution<int> digit(-3, 3);
  for (std::int64_t K = 1; K <= 20; ++K) {
    for (const std::int64_t L : {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 129}) {
      for (const std::int64_t left : {K - 1, (K - 1) / 2}) {
        const DepthwiseConv1dShape shape{1, 2, L, K, left, 0, 1, 2};
        check_integers(ConvInputs<float>(shape, [&] { return digit(random); }));
      }
    }
  }
}

TEST_CASE("rows longer than a block and a tile are exact on small integers") {
  std::mt19937_64 random(9);
  std::uniform_int_distribution<int> digit(-1, 1);
  for (const std::int64_t K : {1, 4, 8, 9, 40}) {
    for (const std::int64_t L : {2047, 2064, 4111, 16384, 16385, 33001}) {
      const DepthwiseConv1dShape shape{1, 1, L, K, (K - 1) / 2, 0, 1, 1};
      check_integers(ConvInputs<float>(shape, [&] { return digit(random); }));
    }
  }
}

TEST_CASE("the depthwise convolution gives the values computed by hand") {
  check_values_by_hand<float>();
  check_values_by_hand<double>();
}

TEST_CASE("half types accumulate in float32 and round once") {
  // In bfloat16 256 + 1 is 256, and in float16 2048 + 1 is 2048: only a wider sum sees the ones.
  const std::vector<double> x{1, 1, 1, 1, 1, 1, 1, 1};
  CHECK(forward<bfloat16>(x, {256, 1, 1, 1, 1, 1, 1, 1}, true).back() == 264);
  CHECK(forward<float16>(x, {2048, 1, 1, 1, 1, 1, 1, 1}, true).back() == 2056);
}

}  // namespace crocuta::test
