// What every kernel of the depthwise convolution has to satisfy, whatever device it runs on.
#pragma once

#include <cstring>

#include "tests/kernels/depthwise_conv1d_case.h"
#include "tests/support/catch.h"

namespace crocuta::test {

// Every element within abs(y - y*) <= u_out abs(y*) + (depth + 2) u_acc sum(abs(terms)) + half the
// smallest subnormal, where at most `deepest` additions lie between a term and the result.
template <class T>
void check_bound(const char* what, const std::vector<T>& got, const std::vector<Sum<T>>& want,
                 std::int64_t deepest) {
  const Exact<T> u_out = unit_roundoff<T>(), u_acc = unit_roundoff<kernels::accumulator_t<T>>();
  REQUIRE(got.size() == want.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    const auto depth = static_cast<Exact<T>>(std::min(want[i].terms, deepest) + 2);
    const Exact<T> bound =
        u_out * std::fabs(want[i].value) + depth * u_acc * want[i].magnitude + half_smallest<T>();
    const Exact<T> error = std::fabs(exact(got[i]) - want[i].value);
    if (error <= bound) continue;  // false for NaN
    FAIL(what << "[" << i << "] = " << exact(got[i]) << ", expected " << want[i].value << " within "
              << bound);
  }
}

// A random case of at most `taps` taps on rows of at most `length` samples. `sum_depth` says how
// many additions lie between a product and its sum at most.
template <class T, class Device, class SumDepth>
void check_random_case(std::uint64_t seed, std::int64_t taps, std::int64_t length,
                       SumDepth sum_depth) {
  std::mt19937_64 random(seed);
  const DepthwiseConv1dShape shape = random_shape(random, taps, length);
  const bool with_bias = random() % 2 == 0;
  std::normal_distribution<double> normal;
  const ConvInputs<T> in(shape, [&] { return normal(random); });
  INFO("seed " << seed << ", " << sizeof(T) << " bytes: " << describe(shape));
  const ConvResults<T> out = run<T, Device>(in, with_bias);
  const ConvOracle<T> oracle(in, with_bias);
  check_bound("y", out.y, oracle.y, shape.kernel_size + 1);
  check_bound("dx", out.dx, oracle.dx, shape.kernel_size);
  check_bound("dweight", out.dweight, oracle.dweight, sum_depth(shape));
  check_bound("dbias", out.dbias, oracle.dbias, sum_depth(shape));
}
template <class Device, class SumDepth>
void check_random_cases(int count, std::int64_t taps, std::int64_t length, SumDepth sum_depth) {
  const std::uint64_t first = 20260000;
  for (int i = 0; i < count; ++i) {
    const std::uint64_t seed = first + static_cast<std::uint64_t>(i);
    switch (i % 4) {
      case 0:
        check_random_case<float, Device>(seed, taps, length, sum_depth);
        break;
      case 1:
        check_random_case<double, Device>(seed, taps, length, sum_depth);
        break;
      case 2:
        check_random_case<bfloat16, Device>(seed, taps, length, sum_depth);
        break;
      default:
        check_random_case<float16, Device>(seed, taps, length, sum_depth);
    }
  }
}

// Sums of small integers are exact in every order, so that only the last rounding is left.
template <class T, class Device = kernels::Cpu>
void check_integers(const ConvInputs<T>& in) {
  INFO(sizeof(T) << " bytes: " << describe(in.shape));
  const ConvOracle<T> oracle(in);
  const auto same = [](const std::vector<T>& got, const std::vector<Sum<T>>& want) {
    return std::equal(got.begin(), got.end(), want.begin(), want.end(),
                      [](T a, const Sum<T>& b) { return exact(a) == exact(rounded<T>(b.value)); });
  };
  for (const ConvResults<T>& out : {run<T, Device>(in), run_reference(in)}) {
    REQUIRE(same(out.y, oracle.y));
    REQUIRE(same(out.dx, oracle.dx));
    REQUIRE(same(out.dweight, oracle.dweight));
    REQUIRE(same(out.dbias, oracle.dbias));
  }
}

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

// y and dx of every slice of channels are cuts of the whole's, and the gradients of the parts add
// up.
template <class T, class Device = kernels::Cpu>
void check_slices(const DepthwiseConv1dShape& shape, double tolerance) {
  const ConvInputs<T> in = normal_inputs<T>(shape, 3);
  const ConvResults<T> whole = run<T, Device>(in);
  const ConvOracle<T> oracle(in);
  const std::int64_t L = shape.length, K = shape.kernel_size;
  for (const std::int64_t ranks : {2, 3, 4, 6, 12}) {
    INFO(describe(shape) << ", " << ranks << " ranks, " << sizeof(T) << " bytes");
    const std::int64_t channels = shape.channels / ranks;
    std::vector<Exact<T>> dweight(in.weight.size()), dbias(in.bias.size());
    for (std::int64_t r = 0; r < ranks; ++r) {
      const std::int64_t first = r * channels;
      const ConvResults<T> part = run<T, Device>(slice(in, first, channels));
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

// NaN and infinity are where the oracle has them and nowhere else.
template <class T, class Device = kernels::Cpu>
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
  for (const ConvResults<T>& out : {run<T, Device>(in), run_reference(in)}) {
    REQUIRE(same_places(out.y, oracle.y));
    REQUIRE(same_places(out.dx, oracle.dx));
    REQUIRE(same_places(out.dweight, oracle.dweight));
    REQUIRE(same_places(out.dbias, oracle.dbias));
  }
}

// Each gradient has the same bits, wanted alone or with others; those not wanted are not touched.
template <class Device>
void check_wanted_alone(const DepthwiseConv1dShape& shape) {
  const auto in = normal_inputs<float>(shape, 6);
  const auto all = run<float, Device>(in);
  for (int wanted = 0; wanted < kAll; ++wanted) {
    INFO(describe(shape) << ", wanted " << wanted);
    const auto some = run<float, Device>(in, true, wanted);
    const auto untouched = [](const std::vector<float>& v) {
      return std::all_of(v.begin(), v.end(), [](float f) { return std::isnan(f); });
    };
    CHECK((wanted & kDx ? same_bits(some.dx, all.dx) : untouched(some.dx)));
    CHECK((wanted & kDweight ? same_bits(some.dweight, all.dweight) : untouched(some.dweight)));
    CHECK((wanted & kDbias ? same_bits(some.dbias, all.dbias) : untouched(some.dbias)));
  }
}

// A NaN in a causal convolution's sample leaves all outputs before it alone.
template <class Device>
void check_causality(std::int64_t taps, std::int64_t length) {
  const DepthwiseConv1dShape shape{1, 1, length, taps, taps - 1, 0, 1, 1};
  const auto clean = normal_inputs<float>(shape, 12);
  const auto before = run_forward<float, Device>(clean);
  for (std::size_t t = 0; t < static_cast<std::size_t>(length); ++t) {
    auto in = clean;
    in.x[t] = NAN;
    const auto y = run_forward<float, Device>(in);
    CHECK(std::memcmp(y.data(), before.data(), t * sizeof(float)) == 0);
    CHECK(std::isnan(y[t]));
  }
}

}  // namespace crocuta::test
