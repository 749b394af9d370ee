#include <cmath>

#include "framework/ops.h"
#include "tests/check_op.h"
#include "tests/support/catch.h"

using namespace crocuta;
using namespace crocuta::test;

namespace {

Fn oracle(double eps) {
  return [eps](const std::vector<Tensor>& in) {
    std::vector<double> x = in[0].to_vector<double>();
    const auto w = in[1].to_vector<double>(), b = in[2].to_vector<double>();
    const std::size_t n = w.size();
    const auto count = static_cast<double>(n);
    for (std::size_t row = 0; row < x.size(); row += n) {
      double mean = 0, variance = 0;
      for (std::size_t i = 0; i < n; ++i) mean += x[row + i] / count;
      for (std::size_t i = 0; i < n; ++i) {
        variance += (x[row + i] - mean) * (x[row + i] - mean) / count;
      }
      for (std::size_t i = 0; i < n; ++i) {
        x[row + i] = (x[row + i] - mean) / std::sqrt(variance + eps) * w[i] + b[i];
      }
    }
    return from_vector(x, in[0].shape());
  };
}

void check(const Shape& shape, double eps = 1e-5, double center = 0,
           std::vector<DType> dtypes = OpCheck{}.dtypes) {
  const std::int64_t n = shape.back();
  const auto rows = static_cast<double>(element_count(shape)) / static_cast<double>(n + (n == 0));
  check_op(
      {.name = str("layer_norm", to_string(shape)),
       .fn = [eps](const std::vector<Tensor>& in) { return layer_norm(in[0], in[1], in[2], eps); },
       .oracle = oracle(eps),
       .inputs = {sample(shape, center - 2, center + 2), sample({n}, 0.5, 2, 2),
                  sample({n}, -1, 1, 3)},
       .dtypes = dtypes,
       .rounding = 16,
       .scale = 4 + 4 * std::fabs(center),
       .gradient_scale = 4 + std::sqrt(rows) + std::fabs(center),
       .gradient = {.elements = 8}});
}

}  // namespace

TEST_CASE("layer_norm over rows of awkward lengths") {
  for (const std::int64_t n : {2, 7, 8, 9, 15, 16, 17, 31, 33, 97, 513}) check({5, n}, 1e-2);
}

TEST_CASE("layer_norm of rows of one number gives the bias") {
  const Tensor x = sample({4, 1}), w = sample({1}), b = sample({1}, -1, 1, 3);
  for (const double v : layer_norm(x, w, b).to_vector<double>()) CHECK(v == b.item());
}

TEST_CASE("layer_norm of one dimension, of many, and of nothing") {
  check({6});
  check({2, 3, 5, 8});
  check({0, 5});
  check({3, 0});
}

TEST_CASE("layer_norm over as many rows as one slice of its backward pass, one more and one less") {
  for (const std::int64_t rows : {127, 128, 129, 257, 1031}) check({rows, 6}, 1e-2);
}

TEST_CASE("layer_norm over very many rows and over one very long one") {
  check({8209, 8}, 1e-2, 0, {DType::float32});
  check({2, 65537}, 1e-5, 0, {DType::float32});
}

TEST_CASE("layer_norm of numbers far from zero keeps its digits") {
  check({4, 64}, 1e-5, 100, {DType::float32, DType::float64});
}

TEST_CASE("layer_norm of no rows has zero gradients for its weights") {
  const Tensor w = ones({5}), b = zeros({5});
  w.set_requires_grad();
  b.set_requires_grad();
  const Tensor y = layer_norm(zeros({0, 5}), w, b);
  y.backward(zeros({0, 5}));
  CHECK(w.grad().to_vector() == std::vector<float>(5, 0));
  CHECK(b.grad().to_vector() == std::vector<float>(5, 0));
}

TEST_CASE("layer_norm refuses weights that do not fit") {
  const Tensor x = zeros({2, 4}), w = ones({4}), b = zeros({4});
  CHECK(message_of<ShapeError>([&] { layer_norm(x, ones({3}), b); }) ==
        "layer_norm: 'weight': expected [4], got [3]");
  CHECK(message_of<ShapeError>([&] {
          layer_norm(x, w, ones({2, 4}));
        }) == "layer_norm: 'bias': expected [4], got [2, 4]");
  CHECK(message_of<ShapeError>([&] { layer_norm(full({}, 1), w, b); }) ==
        "layer_norm: 'x': expected at least one dimension, got []");
  CHECK(message_of<DTypeError>([&] { layer_norm(x, w.to(DType::float64), b); }) ==
        "layer_norm: 'weight': expected float32, got float64");
  CHECK(message_of<DTypeError>([&] { layer_norm(x, w, b.to(DType::bfloat16)); }) ==
        "layer_norm: 'bias': expected float32, got bfloat16");
  CHECK(message_of<ArgumentError>([&] { layer_norm(x, w, b, -1); }) ==
        "layer_norm: 'eps': expected at least 0, got -1");
  const Tensor i = arange(4);
  CHECK(message_of<DTypeError>([&] { layer_norm(i, i, i); }) ==
        "layer_norm: 'dtype': expected float32, float64, bfloat16 or float16, got int64");
}
