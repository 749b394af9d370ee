// DistributedDepthwiseConv1d, forward and backward, against conv_truth() on many configurations,
// each a pure function of its seed.
//
// CROCUTA_TEST_CASES=n tries n configurations instead of the default number, CROCUTA_TEST_SEED=s
// the one of seed s alone.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <iostream>
#include <random>

#include "framework/ops/ops.h"
#include "layers/distributed_depthwise_conv1d.h"
#include "tests/layers/conv_truth.h"
#include "tests/support/catch.h"
#include "tests/support/check_op.h"
#include "tests/support/slow.h"

namespace crocuta::test {
namespace {

constexpr std::int64_t kMostChannels = 96, kMostTaps = 129, kLongest = 600;
constexpr DType kFloats[] = {DType::float32, DType::float64, DType::bfloat16, DType::float16};

int case_count() {
  if (const char* wanted = std::getenv("CROCUTA_TEST_CASES")) return std::atoi(wanted);
  return (slow_device() ? 1000 : 20000) / (kSlowBuild ? 10 : 1);
}

class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}
  // From low to high, with equal or with falling probability (each octave alike).
  std::int64_t even(std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(engine_() % static_cast<std::uint64_t>(high - low + 1));
  }
  std::int64_t falling(std::int64_t high) {
    const double limit = static_cast<double>(high) + 1;
    return std::min(high, static_cast<std::int64_t>(std::exp(real() * std::log(limit))));
  }
  bool one_in(std::int64_t n) { return even(1, n) == 1; }
  double real() { return static_cast<double>(engine_() >> 11) * 0x1p-53; }

 private:
  std::mt19937_64 engine_;
};

enum class Values { around_zero, many_magnitudes, small_integers };
// How a tensor lies in memory; what lies beside its elements is NaN.
enum class Layout {
  contiguous,
  scattered,
  channels_last,
  sliced,
  one_sample,
  one_channel,
  one_time
};
enum class Wanted { all, only_dx, only_parameters };

struct Case {
  ConvSizes sizes;
  bool bias, name_groups;
  DType dtype;
  Values values;
  Layout x_layout, dy_layout;
  Wanted wanted;
};

// All pairs of a number of channels and a divisor of it.
std::vector<std::pair<std::int64_t, std::int64_t>> channels_and_groups() {
  std::vector<std::pair<std::int64_t, std::int64_t>> pairs;
  for (std::int64_t C = 1; C <= kMostChannels; ++C) {
    for (std::int64_t G = 1; G <= C; ++G) {
      if (C % G == 0) pairs.emplace_back(C, G);
    }
  }
  return pairs;
}

// Mostly small sizes, where the corners are, with a tail of large ones. Of ten seeds, one takes its
// channels and groups, one its taps, and one its length from the list of all there are.
Case draw_case(std::uint64_t seed, Random& random) {
  static const auto pairs = channels_and_groups();
  Case c;
  ConvSizes& s = c.sizes;
  s.batch = random.one_in(20) ? 0 : random.even(1, random.one_in(2) ? 4 : 2);
  s.channels = random.falling(kMostChannels);
  do {
    s.groups = random.even(1, s.channels);
  } while (s.channels % s.groups != 0);
  s.taps = random.one_in(3) ? random.even(1, 9) : random.falling(kMostTaps);
  s.length = random.one_in(20) ? 0 : random.falling(kLongest);
  const std::uint64_t turn = seed / 10;
  if (seed % 10 == 0) std::tie(s.channels, s.groups) = pairs[turn % pairs.size()];
  if (seed % 10 == 1) s.taps = 1 + static_cast<std::int64_t>(turn % kMostTaps);
  if (seed % 10 == 2) s.length = static_cast<std::int64_t>(turn % (kLongest + 1));
  s.causal = random.one_in(2);
  c.bias = random.one_in(2);
  c.name_groups = s.groups != s.channels || random.one_in(2);
  c.dtype = kFloats[random.even(0, 3)];
  c.values = static_cast<Values>(random.even(0, 2));
  c.x_layout = random.one_in(2) ? Layout::contiguous : static_cast<Layout>(random.even(1, 6));
  c.dy_layout = random.one_in(2) ? Layout::contiguous : static_cast<Layout>(random.even(1, 6));
  c.wanted = random.one_in(2) ? Wanted::all : static_cast<Wanted>(random.even(0, 2));
  return c;
}

std::string describe(const Case& c) {
  const ConvSizes& s = c.sizes;
  return str(c.dtype, ", B ", s.batch, ", C ", s.channels, ", G ", s.groups, ", K ", s.taps, ", L ",
             s.length, s.causal ? ", causal" : ", same", c.bias ? ", bias" : "", ", values ",
             static_cast<int>(c.values), ", layouts ", static_cast<int>(c.x_layout), " and ",
             static_cast<int>(c.dy_layout), ", wanted ", static_cast<int>(c.wanted));
}

Tensor draw_values(const Shape& shape, const Case& c, Random& random) {
  std::vector<double> values(static_cast<std::size_t>(element_count(shape)));
  for (double& value : values) {
    if (c.values == Values::small_integers) {
      value = static_cast<double>(random.even(-3, 3));
    } else {
      value = 2 * (random.real() - random.real());
      // Down to where float16 has no full precision left.
      if (c.values == Values::many_magnitudes) value *= std::exp2(random.even(-14, 1));
    }
  }
  return from_vector(values, shape, {c.dtype, default_device()});
}

Tensor draw_tensor(const Case& c, Layout layout, Random& random) {
  const Shape shape{c.sizes.batch, c.sizes.channels, c.sizes.length};
  if (layout >= Layout::one_sample) {  // stretched along one dimension
    const int dim = static_cast<int>(layout) - static_cast<int>(Layout::one_sample);
    Shape one = shape;
    one[static_cast<std::size_t>(dim)] = 1;
    return expand(draw_values(one, c, random), shape);
  }
  const Tensor values = draw_values(shape, c, random);
  if (layout == Layout::scattered) return scattered(values);
  if (layout == Layout::channels_last) return transpose(transpose(values, 1, 2).clone(), 1, 2);
  if (layout == Layout::sliced) {
    Tensor view = full({shape[0] + 1, shape[1] + 2, shape[2] + 5}, NAN, values.options());
    const std::int64_t start[] = {1, random.even(0, 2), random.even(0, 5)};
    for (int d = 0; d < 3; ++d)
      view = narrow(view, d, start[d], shape[static_cast<std::size_t>(d)]);
    view.copy_(values);
    return view;
  }
  return values;
}

// "" if all is as it should be. Small integers: every element is the rounded sum. Otherwise
//   abs(y - y*) <= u_out abs(y*) + (additions + 2) u_acc sum(abs(terms)) + half the least
//   subnormal.
std::string mismatch(const Case& c, const char* what, const Tensor& got, const Shape& shape,
                     const Sums& want, std::int64_t additions) {
  if (!got.defined()) return str(what, " is missing");
  if (got.shape() != shape || got.dtype() != c.dtype || !got.is_contiguous()) {
    return str(what, " is ", got.dtype(), " ", to_string(got.shape()),
               got.is_contiguous() ? "" : " with gaps", " instead of ", to_string(shape));
  }
  const Format format = format_of(c.dtype);
  const int accumulated = std::max(format.digits, 24);  // 16-bit types add up in float32
  const long double u_out = std::ldexp(1.0L, -format.digits);
  const long double u_acc = std::ldexp(1.0L, -accumulated);
  const long double least = std::ldexp(1.0L, format.least - 1);
  const std::vector<double> values = got.to_vector<double>();
  for (std::size_t i = 0; i < values.size(); ++i) {
    const long double exact = want.value[i];
    long double bound = 0, expected = exact;
    if (c.values == Values::small_integers) {
      if (values[i] == exact) continue;
      expected = round_to(format, exact);
      if (values[i] == expected) continue;
    } else {
      bound = u_out * std::fabs(exact) +
              static_cast<long double>(additions + 2) * u_acc * want.magnitude[i] + least;
      if (std::fabs(values[i] - exact) <= bound) continue;  // false for NaN
    }
    return str(what, "[", i, "] is ", values[i], ", ", values[i] - static_cast<double>(expected),
               " beside the true ", static_cast<double>(expected), "; allowed are ",
               static_cast<double>(bound));
  }
  return "";
}

std::string check_case(std::uint64_t seed) {
  Random random(seed);
  const Case c = draw_case(seed, random);
  const ConvSizes& s = c.sizes;
  const Shape shape{s.batch, s.channels, s.length}, taps{s.groups, s.taps};
  DistributedDepthwiseConv1d conv(
      {.hidden_dim = s.channels,
       .kernel_size = s.taps,
       .causal = s.causal,
       .num_groups = c.name_groups ? std::optional(s.groups) : std::nullopt,
       .bias = c.bias,
       .dtype = c.dtype,
       .device = default_device()});
  StateDict state{{"weight", draw_values(taps, c, random)}};
  if (c.bias) state["bias"] = draw_values({s.groups}, c, random);
  conv.load_state_dict(state);
  const Tensor x = draw_tensor(c, c.x_layout, random), dy = draw_tensor(c, c.dy_layout, random);
  if (c.wanted != Wanted::only_parameters) x.set_requires_grad();
  for (const Tensor& p : conv.parameters()) p.set_requires_grad(c.wanted != Wanted::only_dx);

  const Tensor y = conv.forward(x);
  y.backward(dy);

  const ConvTruth truth = conv_truth(
      s, x.to_vector<double>(), conv.weight().to_vector<double>(),
      c.bias ? conv.bias().to_vector<double>() : std::vector<double>(), dy.to_vector<double>(),
      c.dtype == DType::float64 && c.values != Values::small_integers);
  std::string wrong = mismatch(c, "y", y, shape, truth.y, s.taps);
  if (wrong.empty() && c.wanted != Wanted::only_parameters) {
    wrong = mismatch(c, "dx", x.grad(), shape, truth.dx, s.taps);
  }
  // Within a row at most L terms are added to one another; rows are added afterwards.
  const std::int64_t rows = s.batch * s.channels / s.groups;
  const std::int64_t additions = std::min(s.length * rows, s.length + rows);
  if (wrong.empty() && c.wanted != Wanted::only_dx) {
    wrong = mismatch(c, "dweight", conv.weight().grad(), taps, truth.dweight, additions);
    if (wrong.empty() && c.bias) {
      wrong = mismatch(c, "dbias", conv.bias().grad(), {s.groups}, truth.dbias, additions);
    }
  }
  return wrong.empty() ? "" : describe(c) + ": " + wrong;
}

}  // namespace

TEST_CASE("random configurations of the layer agree with the truth within rounding") {
  constexpr int kFailuresShown = 5;
  std::uint64_t first = 0;
  int count = case_count(), failed = 0;
  if (const char* seed = std::getenv("CROCUTA_TEST_SEED")) {
    first = std::strtoull(seed, nullptr, 10);
    count = 1;
  }
  REQUIRE(count > 0);
  int done = 0;
  for (; done < count && failed < kFailuresShown; ++done) {
    const std::uint64_t seed = first + static_cast<std::uint64_t>(done);
    const std::string wrong = check_case(seed);
    if (wrong.empty()) continue;
    ++failed;
    UNSCOPED_INFO(wrong << "\n  again: CROCUTA_TEST_DEVICE=" << default_device()
                        << " CROCUTA_TEST_SEED=" << seed << " test_depthwise_conv1d_truth");
    CHECK(wrong.empty());
  }
  CHECK(failed == 0);
  std::cout << "depthwise_conv1d: " << done << " random configurations on " << default_device()
            << ", from seed " << first << "\n";
}

TEST_CASE("the truth gives the values computed by hand") {
  const auto y = [](const std::vector<double>& x, const std::vector<double>& taps, bool causal) {
    const ConvSizes sizes{
        1, 1,     static_cast<std::int64_t>(x.size()), static_cast<std::int64_t>(taps.size()),
        1, causal};
    const ConvTruth truth = conv_truth(sizes, x, taps, {}, x, false);
    return std::vector<double>(truth.y.value.begin(), truth.y.value.end());
  };
  using V = std::vector<double>;
  CHECK(y({1, 2, 3, 4, 5}, {1, 10, 100, 1000}, false) == V{3210, 4321, 5432, 543, 54});
  CHECK(y({1, 2, 3, 4, 5}, {1, 10, 100, 1000}, true) == V{1000, 2100, 3210, 4321, 5432});
  CHECK(y({1, 2}, {1, 10, 100, 1000, 10000}, false) == V{2100, 210});
  CHECK(y({1, 2}, {1, 10, 100, 1000, 10000}, true) == V{10000, 21000});

  // Two groups of two channels, two samples: dweight[g][k] pairs dy[t] with x[t + k - left].
  const V x = {1, 2, 3, 4, 5, 6, 7, 8}, weight = {10, 1, 20, 2}, bias = {100, 200};
  const V dy = {1, 10, 100, 1000, 1, 1, 2, 3};
  const ConvTruth truth = conv_truth({1, 4, 2, 2, 2, true}, x, weight, bias, dy, true);
  using W = std::vector<long double>;
  CHECK(truth.y.value == W{101, 112, 103, 134, 210, 312, 214, 356});
  CHECK(truth.dx.value == W{101, 10, 10100, 1000, 22, 2, 64, 6});
  CHECK(truth.dweight.value == W{3010, 4321, 26, 49});
  CHECK(truth.dbias.value == W{1111, 7});
}

TEST_CASE("the truth rounds to nearest, ties to even, in each format") {
  CHECK(round_to(format_of(DType::bfloat16), 257) == 256);
  CHECK(round_to(format_of(DType::bfloat16), 259) == 260);
  CHECK(round_to(format_of(DType::bfloat16), -258.5L) == -258);
  CHECK(round_to(format_of(DType::float16), 2049) == 2048);
  CHECK(round_to(format_of(DType::float16), 2051) == 2052);
  CHECK(round_to(format_of(DType::float16), 65519) == 65504);
  CHECK(std::isinf(round_to(format_of(DType::float16), 65520)));
  CHECK(round_to(format_of(DType::float16), 0x1.8p-24L) == 0x1p-23);
  CHECK(round_to(format_of(DType::float32), (1L << 24) + 1) == 1L << 24);
  CHECK(round_to(format_of(DType::float64), 0.1L) == static_cast<double>(0.1L));
}

}  // namespace crocuta::test
