// What lies in the future changes nothing before it: neither outputs, nor, on the way back,
// gradients.
#include "layers/inspect/causality.h"

#include <cmath>

#include "distributed/backends/threads.h"
#include "framework/ops/ops.h"
#include "framework/tensor/random.h"
#include "layers/distributed_depthwise_conv1d.h"
#include "layers/hyena/block.h"
#include "tests/layers/layer_checks.h"
#include "tests/support/catch.h"

namespace crocuta::test {
namespace {

constexpr DType kFloats[] = {DType::float32, DType::float64, DType::bfloat16, DType::float16};
constexpr std::int64_t kLength = 50;

TensorOptions options(DType dtype) {
  return {dtype, default_device()};
}

// x with `value` at the positions [from, to) of its last dimension.
Tensor with(const Tensor& x, double value, std::int64_t from, std::int64_t to) {
  const Tensor y = x.clone();
  if (from < to) narrow(y, -1, from, to - from).fill_(value);
  return y;
}

std::vector<double> between(const Tensor& x, std::int64_t from, std::int64_t to) {
  return narrow(x, -1, from, to - from).to_vector<double>();
}

bool all_nan(const std::vector<double>& values) {
  return std::all_of(values.begin(), values.end(), [](double v) { return std::isnan(v); });
}

double norm(const Tensor& x) {
  return std::sqrt(squared_norm(x).item());
}

double largest_change(const Tensor& a, const Tensor& b, std::int64_t from, std::int64_t to) {
  const auto x = between(a, from, to), y = between(b, from, to);
  double most = 0;
  for (std::size_t i = 0; i < x.size(); ++i) most = std::fmax(most, std::fabs(x[i] - y[i]));
  return most;
}

}  // namespace

TEST_CASE("a NaN in the future of a causal convolution stays there, bit for bit") {
  for (const DType dtype : kFloats) {
    for (const std::int64_t K : {1, 2, 3, 4, 7, 8, 9, 33, 60}) {
      DistributedDepthwiseConv1d conv({.hidden_dim = 6,
                                       .kernel_size = K,
                                       .causal = true,
                                       .num_groups = 3,
                                       .bias = true,
                                       .dtype = dtype});
      const Tensor x = randn({2, 6, kLength}, options(dtype));
      const Tensor y = conv.forward(x);
      for (const std::int64_t cut : {1, 7, 16, 33, 49}) {
        CAPTURE(dtype, K, cut);
        const Tensor poisoned = conv.forward(with(x, NAN, cut, kLength));
        CHECK(between(poisoned, 0, cut) == between(y, 0, cut));
        // And it does reach what the formula says.
        CHECK(all_nan(between(poisoned, cut, kLength)));
        const Tensor one = conv.forward(with(x, NAN, cut, cut + 1));
        const std::int64_t reach = std::min(cut + K, kLength);
        CHECK(all_nan(between(one, cut, reach)));
        CHECK(between(one, reach, kLength) == between(y, reach, kLength));
      }
    }
  }
}

TEST_CASE("a NaN in an earlier gradient of a causal convolution does not reach later samples") {
  for (const DType dtype : kFloats) {
    for (const std::int64_t K : {1, 2, 4, 8, 9, 33}) {
      DistributedDepthwiseConv1d conv(
          {.hidden_dim = 4, .kernel_size = K, .causal = true, .dtype = dtype});
      const Tensor x = randn({2, 4, kLength}, options(dtype));
      const Tensor dy = randn({2, 4, kLength}, options(dtype));
      const auto dx = [&](const Tensor& from, const Tensor& gradient) {
        const Tensor leaf = from.clone().set_requires_grad();
        conv.forward(leaf).backward(gradient);
        return leaf.grad();
      };
      const Tensor right = dx(x, dy);
      for (const std::int64_t cut : {1, 16, 49}) {
        CAPTURE(dtype, K, cut);
        const Tensor poisoned = dx(x, with(dy, NAN, 0, cut));
        CHECK(between(poisoned, cut, kLength) == between(right, cut, kLength));
        CHECK(all_nan(between(poisoned, 0, cut)));
        // What the samples were does not matter to their gradient.
        CHECK(dx(with(x, NAN, cut, kLength), dy).to_vector<double>() == right.to_vector<double>());
      }
    }
  }
}

TEST_CASE("samples after the last gradient add nothing to a causal convolution's parameters") {
  for (const DType dtype : kFloats) {
    DistributedDepthwiseConv1d conv(
        {.hidden_dim = 4, .kernel_size = 5, .causal = true, .bias = true, .dtype = dtype});
    const Tensor x = randn({2, 4, kLength}, options(dtype));
    const Tensor dy = with(randn({2, 4, kLength}, options(dtype)), 0, 20, kLength);
    const auto gradients = [&](const Tensor& from) {
      conv.zero_grad();
      conv.forward(from).backward(dy);
      return std::pair(conv.weight().grad().to_vector<double>(),
                       conv.bias().grad().to_vector<double>());
    };
    CHECK(gradients(with(x, 1000, 20, kLength)) == gradients(x));
    CHECK(gradients(with(x, 1000, 19, kLength)) != gradients(x));
  }
}

TEST_CASE("a change in the future moves a convolution by FFT no more than its rounding") {
  for (const DType dtype : kFloats) {
    for (const std::int64_t L : {2, 16, 37, 200}) {
      const Tensor z = randn({2, 3, L}, options(dtype)), k = randn({3, L}, options(dtype));
      const Tensor dy = randn({2, 3, L}, options(dtype));
      const double unit = dtype == DType::float64 ? 0x1p-53 : 0x1p-24;
      const auto run = [&](const Tensor& from, const Tensor& gradient) {
        const Tensor leaf = from.clone().set_requires_grad();
        const Tensor y = fft_conv(leaf, k);
        y.backward(gradient);
        return std::pair(y.detach(), leaf.grad());
      };
      const auto [y, dz] = run(z, dy);
      for (const std::int64_t cut : {std::int64_t{1}, L / 2, L - 1}) {
        CAPTURE(dtype, L, cut);
        // The error of a transform is about unit * log2(n) times the vector's norm; of 16-bit
        // results the last digit may turn over.
        const auto bound = [&](const Tensor& input, const Tensor& result) {
          const double turned = 2 * epsilon(dtype) * norm(result);
          return unit * std::log2(4.0 * static_cast<double>(L)) * norm(input) * norm(k) +
                 (dtype == DType::float32 || dtype == DType::float64 ? 0 : turned);
        };
        const Tensor other = with(z, 100, cut, L), early = with(dy, 100, 0, cut);
        CHECK(largest_change(run(other, dy).first, y, 0, cut) <= bound(other, y));
        CHECK(largest_change(run(z, early).second, dz, cut, L) <= bound(early, dz));
      }
    }
  }
}

namespace {

HyenaOptions hyena(DType dtype) {
  HyenaOptions o;
  o.d_model = 8;
  o.l_max = 48;
  o.filter_order = 8;
  o.dropout = 0.2;  // off during the check
  o.dtype = dtype;
  o.device = default_device();
  return o;
}

// x, and the same with other values from `cut` on; a rank's parts.
std::pair<Tensor, Tensor> futures(DType dtype, std::int64_t cut, const ProcessGroup& cp) {
  Generator generator{5, 0};
  const Tensor x = randn({2, 48, 8}, options(dtype), generator), changed = x.clone();
  const Tensor future = narrow(changed, 1, cut, 48 - cut);
  normal_(future, 1, 3, generator);
  const auto part = [&](const Tensor& t) { return shard_sequence(t, 1, cp).contiguous(); };
  return {part(x), part(changed)};
}

CausalityReport check(Layer& layer, DType dtype, std::int64_t cut, const ProcessGroup& cp = {}) {
  const auto [x, changed] = futures(dtype, cut, cp);
  return check_causality(layer, x, changed, cut, causality_tolerance(dtype), cp);
}

}  // namespace

TEST_CASE("the Hyena operator and block do not look ahead, in any dtype") {
  for (const DType dtype : kFloats) {
    HyenaOperator mixer(hyena(dtype));
    HyenaBlock block(hyena(dtype));
    randomize(block);
    for (const std::int64_t cut : {1, 13, 24, 47}) {
      CAPTURE(dtype, cut);
      CHECK(check(mixer, dtype, cut).first == "");
      const CausalityReport report = check(block, dtype, cut);
      CHECK(report.first == "");
      REQUIRE(report.layers.size() == 8);
      for (const LookAhead& l : report.layers) {
        CAPTURE(l.layer);
        CHECK_FALSE(std::isnan(l.output));
        CHECK_FALSE(std::isnan(l.grad_output));
        CHECK_FALSE(std::isnan(l.grad_input));
      }
      CHECK(block.is_training());
    }
  }
}

TEST_CASE("the Hyena block does not look ahead on several ranks") {
  for (const int P : {2, 4}) {
    run_ranks(P, [&](const ProcessGroup& cp) {
      HyenaBlock block(hyena(DType::float64));
      randomize(block);
      const CausalityReport report = check(block, DType::float64, 13, cp);
      if (!report.first.empty()) throw Error(report.first);
    });
    SUCCEED();
  }
}

namespace {

// Norm, then something that may look ahead, then another layer.
class Leaky : public Layer {
 public:
  explicit Leaky(std::string leak)
      : leak_(std::move(leak)),
        norm_(child<LayerNorm>("norm", LayerNorm::Options{.dim = 8, .dtype = DType::float64})),
        conv_(child<DistributedDepthwiseConv1d>(
            "conv", DistributedDepthwiseConv1d::Options{.hidden_dim = 8,
                                                        .kernel_size = 3,
                                                        .causal = leak_ != "same padding",
                                                        .dtype = DType::float64})),
        out_(child<Linear>(
            "out", Linear::Options{.in_features = 8, .out_features = 8, .dtype = DType::float64})) {
  }

  Tensor forward(const Tensor& x, const ProcessGroup& cp) override {
    const Tensor h = transpose(conv_(transpose(norm_(x, cp), 1, 2), cp), 1, 2);
    const Tensor y = out_(h, cp);
    if (leak_ == "mean") return y + 1e-6 * mean(y, {1}, true);
    if (leak_ != "gradient") return y;
    // Right values, but a gradient that went one position too far.
    return record("leak", y.detach(), {y}, [](const Tensor& dy) -> Grads {
      const Tensor first = narrow(dy, 1, 0, 1), rest = narrow(dy, 1, 0, dy.size(1) - 1);
      return {cat({first, rest}, 1)};
    });
  }

 private:
  const std::string leak_;
  LayerNorm& norm_;
  DistributedDepthwiseConv1d& conv_;
  Linear& out_;
};

}  // namespace

TEST_CASE("the first layer that looks ahead is named") {
  const auto first = [](const std::string& leak) {
    Leaky model(leak);
    randomize(model);
    return check(model, DType::float64, 20).first;
  };
  CHECK(first("none") == "");
  CHECK_THAT(first("same padding"),
             ContainsSubstring("conv: an output before the change moves by "));
  CHECK_THAT(first("mean"), ContainsSubstring("the model: an output before the change moves by "));
  CHECK_THAT(first("gradient"),
             ContainsSubstring("what uses the output of out: the gradient from there is off by "));
}

}  // namespace crocuta::test
