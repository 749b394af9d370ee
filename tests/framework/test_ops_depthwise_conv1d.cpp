#include "framework/ops.h"
#include "tests/check_op.h"
#include "tests/support/catch.h"

using namespace crocuta;
using namespace crocuta::test;

namespace {

// The formula by plain loops over float64 values.
Tensor oracle(const std::vector<Tensor>& in, const DepthwiseConv1dOptions& options) {
  const auto x = in[0].to_vector<double>(), weight = in[1].to_vector<double>();
  const auto bias = in.size() > 2 ? in[2].to_vector<double>() : std::vector<double>();
  const std::int64_t B = in[0].size(0), C = in[0].size(1), L = in[0].size(2);
  const std::int64_t G = in[1].size(0), K = in[1].size(1);
  const std::int64_t group_dim = options.hidden_dim.value_or(C) / G;
  const std::int64_t left = options.causal ? K - 1 : (K - 1) / 2;
  std::vector<double> y;
  for (std::int64_t row = 0; row < B * C; ++row) {
    const std::int64_t g = (options.channel_offset + row % C) / group_dim;
    for (std::int64_t t = 0; t < L; ++t) {
      double sum = bias.empty() ? 0 : bias[static_cast<std::size_t>(g)];
      for (std::int64_t k = 0; k < K; ++k) {
        const std::int64_t s = t + k - left;
        if (s < 0 || s >= L) continue;
        sum +=
            weight[static_cast<std::size_t>(g * K + k)] * x[static_cast<std::size_t>(row * L + s)];
      }
      y.push_back(sum);
    }
  }
  return from_vector(y, in[0].shape());
}

struct Sizes {
  std::int64_t B, C, L, K, G;
  DepthwiseConv1dOptions options;
};

OpCheck conv_check(const Sizes& s, bool bias) {
  OpCheck op;
  op.name = str("depthwise_conv1d B ", s.B, " C ", s.C, " L ", s.L, " K ", s.K, " G ", s.G);
  op.fn = [options = s.options](const std::vector<Tensor>& in) {
    return depthwise_conv1d(in[0], in[1], in.size() > 2 ? in[2] : Tensor(), options);
  };
  op.oracle = [options = s.options](const std::vector<Tensor>& in) { return oracle(in, options); };
  op.inputs = {sample({s.B, s.C, s.L}, -1, 1, 1), sample({s.G, s.K}, -1, 1, 2)};
  if (bias) op.inputs.push_back(sample({s.G}, -1, 1, 3));
  // Up to K products of at most 1 cancel in a result, and B L of them in a gradient.
  op.scale = static_cast<double>(s.K + 1);
  op.gradient_scale = static_cast<double>(s.K + s.B * s.L * s.C / s.G);
  return op;
}

}  // namespace

TEST_CASE("depthwise_conv1d and its gradient agree with the formula") {
  const DepthwiseConv1dOptions causal{.causal = true}, same;
  for (const Sizes& sizes : std::vector<Sizes>{{2, 4, 19, 3, 4, causal},
                                               {1, 6, 40, 4, 2, same},
                                               {2, 2, 9, 11, 1, causal},
                                               {1, 3, 5, 8, 3, same},
                                               {2, 3, 70, 31, 1, same},
                                               {1, 1, 1, 1, 1, same}}) {
    check_op(conv_check(sizes, true));
    check_op(conv_check(sizes, false));
  }
}

TEST_CASE("depthwise_conv1d on a slice of the channels uses and updates only its groups") {
  // Channels 3 to 7 of 12 in groups of 3: all of group 1 and two of the three of group 2.
  const DepthwiseConv1dOptions options{.hidden_dim = 12, .channel_offset = 3};
  check_op(conv_check({2, 5, 17, 4, 4, options}, true));
  const Tensor x = sample({2, 5, 17}), weight = sample({4, 4}).set_requires_grad();
  const Tensor bias = sample({4}).set_requires_grad();
  sum(depthwise_conv1d(x, weight, bias, options)).backward();
  const auto dweight = weight.grad().to_vector<double>(), dbias = bias.grad().to_vector<double>();
  for (std::size_t k = 0; k < 4; ++k) {
    CHECK(dweight[k] == 0);
    CHECK(dweight[12 + k] == 0);
  }
  CHECK(dbias == std::vector<double>{0, 2 * 3 * 17, 2 * 2 * 17, 0});
}

TEST_CASE("depthwise_conv1d of nothing gives nothing, and zero gradients") {
  for (const Shape& shape : {Shape{0, 4, 7}, Shape{3, 4, 0}, Shape{0, 4, 0}}) {
    const Tensor x = zeros(shape).set_requires_grad();
    const Tensor weight = ones({2, 3}).set_requires_grad(), bias = ones({2}).set_requires_grad();
    const Tensor y = depthwise_conv1d(x, weight, bias);
    CHECK(y.shape() == shape);
    sum(y).backward();
    CHECK(x.grad().shape() == shape);
    CHECK(weight.grad().to_vector() == std::vector<float>(6, 0));
    CHECK(bias.grad().to_vector() == std::vector<float>(2, 0));
  }
}

TEST_CASE("depthwise_conv1d refuses arguments that do not fit") {
  const Tensor x = zeros({2, 6, 5}), weight = zeros({3, 4});
  const auto shape_error = [&](const Tensor& a, const Tensor& b, const Tensor& c = Tensor()) {
    return message_of<ShapeError>([&] { depthwise_conv1d(a, b, c); });
  };
  CHECK(shape_error(zeros({6, 5}), weight) ==
        "depthwise_conv1d: 'x': expected [B, C, L], got [6, 5]");
  CHECK(shape_error(x, zeros({4})) ==
        "depthwise_conv1d: 'weight': expected [G, K] with G, K >= 1, got [4]");
  CHECK(shape_error(x, zeros({3, 0})) ==
        "depthwise_conv1d: 'weight': expected [G, K] with G, K >= 1, got [3, 0]");
  CHECK(shape_error(x, weight, zeros({4})) == "depthwise_conv1d: 'bias': expected [3], got [4]");
  CHECK(message_of<DTypeError>([&] { depthwise_conv1d(x, weight.to(DType::float64)); }) ==
        "depthwise_conv1d: 'weight': expected float32, got float64");
  CHECK(message_of<DTypeError>([&] {
          depthwise_conv1d(x, weight, zeros({3}, {.dtype = DType::bfloat16}));
        }) == "depthwise_conv1d: 'bias': expected float32, got bfloat16");
  CHECK(message_of<ArgumentError>([&] {
          depthwise_conv1d(x, zeros({4, 4}));
        }) == "depthwise_conv1d: 'hidden_dim': expected a multiple of the 4 groups, got 6");
  for (const std::int64_t offset : {-1, 7}) {
    CHECK(message_of<ArgumentError>([&] {
            depthwise_conv1d(x, weight, {}, {.hidden_dim = 12, .channel_offset = offset});
          }) == str("depthwise_conv1d: 'channel_offset': expected x's 6 channels to lie within "
                    "hidden_dim 12, got ",
                    offset));
  }
  const Tensor ids = zeros({2, 6, 5}, {.dtype = DType::int64});
  CHECK_THROWS_AS(depthwise_conv1d(ids, zeros({3, 4}, {.dtype = DType::int64})), DTypeError);
}
