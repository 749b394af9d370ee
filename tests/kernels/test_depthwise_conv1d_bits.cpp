// What the depthwise convolution kernels promise about bits: they depend neither on threads, nor on
// the slice of channels, nor on alignment, and NaN goes where the formula says and nowhere else.
#include <cmath>
#include <cstring>

#if defined(_OPENMP)
#include <omp.h>
#endif

#include "tests/kernels/depthwise_conv1d_case.h"
#include "tests/support/catch.h"

namespace crocuta::test {
namespace {

template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() &&
         (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0);
}
template <class T>
bool same_bits(const ConvResults<T>& a, const ConvResults<T>& b) {
  return same_bits(a.y, b.y) && same_bits(a.dx, b.dx) && same_bits(a.dweight, b.dweight) &&
         same_bits(a.dbias, b.dbias);
}

template <class T>
ConvInputs<T> normal_inputs(const DepthwiseConv1dShape& shape, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<double> normal;
  return {shape, [&] { return normal(random); }};
}

// The inputs that the rank whose first channel is `first` sees.
template <class T>
ConvInputs<T> slice(const ConvInputs<T>& all, std::int64_t first, std::int64_t channels) {
  ConvInputs<T> part = all;
  part.shape.channels = channels;
  part.shape.channel_offset = first;
  part.x.clear();
  part.dy.clear();
  const std::int64_t L = all.shape.length;
  for (std::int64_t b = 0; b < all.shape.batch; ++b) {
    const std::int64_t from = (b * all.shape.channels + first) * L;
    part.x.insert(part.x.end(), all.x.begin() + from, all.x.begin() + from + channels * L);
    part.dy.insert(part.dy.end(), all.dy.begin() + from, all.dy.begin() + from + channels * L);
  }
  return part;
}

template <class T>
void check_slices(const DepthwiseConv1dShape& shape, double tolerance) {
  const ConvInputs<T> in = normal_inputs<T>(shape, 3);
  const ConvResults<T> whole = run(in);
  const ConvOracle<T> oracle(in);
  const std::int64_t L = shape.length, K = shape.kernel_size;
  for (const std::int64_t ranks : {2, 3, 4, 6, 12}) {
    INFO(describe(shape) << ", " << ranks << " ranks, " << sizeof(T) << " bytes");
    const std::int64_t channels = shape.channels / ranks;
    std::vector<Exact<T>> dweight(in.weight.size()), dbias(in.bias.size());
    for (std::int64_t r = 0; r < ranks; ++r) {
      const std::int64_t first = r * channels;
      const ConvResults<T> part = run(slice(in, first, channels));
      ConvInputs<T> expected = in;  // cut the whole's results as its inputs are cut
      expected.x = whole.y;
      expected.dy = whole.dx;
      expected = slice(expected, first, channels);
      REQUIRE(same_bits(part.y, expected.x));
      REQUIRE(same_bits(part.dx, expected.dy));
      for (std::int64_t g = 0; g < shape.groups; ++g) {
        const bool local =
            (g + 1) * shape.group_dim > first && g * shape.group_dim < first + channels;
        const auto row = static_cast<std::size_t>(g);
        for (std::int64_t k = 0; k < K; ++k) {
          const auto i = static_cast<std::size_t>(g * K + k);
          if (!local) REQUIRE(exact(part.dweight[i]) == 0);
          dweight[i] += exact(part.dweight[i]);
        }
        if (!local) REQUIRE(exact(part.dbias[row]) == 0);
        dbias[row] += exact(part.dbias[row]);
      }
    }
    for (std::size_t i = 0; i < dweight.size(); ++i) {
      REQUIRE(std::fabs(dweight[i] - exact(whole.dweight[i])) <=
              tolerance * oracle.dweight[i].magnitude);
    }
    for (std::size_t g = 0; g < dbias.size(); ++g) {
      REQUIRE(std::fabs(dbias[g] - exact(whole.dbias[g])) <= tolerance * oracle.dbias[g].magnitude);
    }
  }
  REQUIRE(L > 0);
}

template <class T>
void check_nan_places(const ConvInputs<T>& in) {
  INFO(describe(in.shape));
  const ConvOracle<T> oracle(in);
  const auto same_places = [](const std::vector<T>& got, const std::vector<Sum<T>>& want) {
    return std::equal(got.begin(), got.end(), want.begin(), want.end(), [](T a, const Sum<T>& b) {
      return std::isnan(b.value)   ? std::isnan(exact(a))
             : std::isinf(b.value) ? exact(a) == b.value
                                   : std::isfinite(exact(a));
    });
  };
  for (const ConvResults<T>& out : {run(in), run_reference(in)}) {
    REQUIRE(same_places(out.y, oracle.y));
    REQUIRE(same_places(out.dx, oracle.dx));
    REQUIRE(same_places(out.dweight, oracle.dweight));
    REQUIRE(same_places(out.dbias, oracle.dbias));
  }
}

}  // namespace

TEST_CASE("the depthwise convolution has the same bits at every thread count") {
#if defined(_OPENMP)
  const int before = omp_get_max_threads();
  for (const std::int64_t K : {1, 3, 4, 8, 9, 31}) {
    for (const auto& [channels, length] :
         {std::pair<std::int64_t, std::int64_t>{3, 40001}, {60, 1037}, {300, 100}, {1, 100000}}) {
      const DepthwiseConv1dShape shape{2, channels, length, K, (K - 1) / 2, 0, channels, 1};
      INFO(describe(shape));
      const auto in = normal_inputs<float>(shape, 1);
      omp_set_num_threads(1);
      const auto alone = run(in);
      for (const int threads : {2, 3, 4, 7}) {
        omp_set_num_threads(threads);
        CHECK(same_bits(run(in), alone));
      }
    }
  }
  omp_set_num_threads(before);
#else
  SKIP_TEST("built without OpenMP");
#endif
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
    for (std::size_t shift = 1; shift < 16; ++shift) {
      std::vector<float> x(in.x.size() + shift), dy(x), y(x), dx(x);
      std::copy(in.x.begin(), in.x.end(), x.begin() + static_cast<std::ptrdiff_t>(shift));
      std::copy(in.dy.begin(), in.dy.end(), dy.begin() + static_cast<std::ptrdiff_t>(shift));
      std::vector<float> dweight(in.weight.size()), dbias(in.bias.size());
      std::vector<double> workspace(static_cast<std::size_t>(
          kernels::depthwise_conv1d_workspace_bytes<kernels::Cpu, float>(shape) / 8));
      kernels::depthwise_conv1d_forward<kernels::Cpu, float>(
          shape, x.data() + shift, in.weight.data(), in.bias.data(), y.data() + shift, nullptr);
      CHECK(std::memcmp(y.data() + shift, want.y.data(), want.y.size() * sizeof(float)) == 0);
      kernels::depthwise_conv1d_backward<kernels::Cpu, float>(
          shape, x.data() + shift, in.weight.data(), dy.data() + shift, dx.data() + shift,
          dweight.data(), dbias.data(), workspace.data(), nullptr);
      CHECK(std::memcmp(dx.data() + shift, want.dx.data(), want.dx.size() * sizeof(float)) == 0);
      CHECK(same_bits(dweight, want.dweight));
      CHECK(same_bits(dbias, want.dbias));
    }
  }
}

TEST_CASE("results too large for the caches have the bits of small ones") {
#if defined(_OPENMP)
  const int before = omp_get_max_threads();
  omp_set_num_threads(1);  // whose share of the caches is smallest
#endif
  const DepthwiseConv1dShape shape{1, 3504, 2003, 4, 2, 0, 1, 3504};
  const auto in = normal_inputs<float>(shape, 13);
  const auto large = run(in);
#if defined(_OPENMP)
  omp_set_num_threads(before);
#endif
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
    const DepthwiseConv1dShape shape{2, 4, 2500, K, (K - 1) / 2, 0, 2, 2};
    const auto in = normal_inputs<float>(shape, 6);
    const auto all = run(in);
    for (int wanted = 0; wanted < kAll; ++wanted) {
      INFO("K " << K << ", wanted " << wanted);
      const auto some = run(in, true, wanted);
      const auto untouched = [](const std::vector<float>& v) {
        return std::all_of(v.begin(), v.end(), [](float f) { return std::isnan(f); });
      };
      CHECK((wanted & kDx ? same_bits(some.dx, all.dx) : untouched(some.dx)));
      CHECK((wanted & kDweight ? same_bits(some.dweight, all.dweight) : untouched(some.dweight)));
      CHECK((wanted & kDbias ? same_bits(some.dbias, all.dbias) : untouched(some.dbias)));
    }
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
  for (const std::int64_t K : {2, 4, 17}) {
    const DepthwiseConv1dShape shape{1, 1, 150, K, K - 1, 0, 1, 1};
    const auto clean = normal_inputs<float>(shape, 12);
    const auto before = run_forward(clean);
    for (std::size_t t = 0; t < 150; ++t) {
      auto in = clean;
      in.x[t] = NAN;
      const auto y = run_forward(in);
      CHECK(std::memcmp(y.data(), before.data(), t * sizeof(float)) == 0);
      CHECK(std::isnan(y[t]));
    }
  }
}

}  // namespace crocuta::test
