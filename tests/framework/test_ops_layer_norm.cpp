#include <cmath>

#include "framework/ops.h"
#include "tests/check_op.h"
#include "tests/support/catch.h"

using namespace crocuta;
using namespace crocuta::test;

TEST_CASE("layer_norm of rows of one number gives the bias") {
  const Tensor x = sample({4, 1}), w = sample({1}), b = sample({1}, -1, 1, 3);
  for (const double v : layer_norm(x, w, b).to_vector<double>()) CHECK(v == b.item());
}

TEST_CASE("layer_norm of numbers far from zero keeps its digits") {
  const Tensor x = sample({4, 64}, 98, 102).to(DType::float32), w = ones({64}), b = zeros({64});
  const auto y = layer_norm(x, w, b).to_vector<double>();
  const auto exact = layer_norm(x.to(DType::float64), w.to(DType::float64), b.to(DType::float64))
                         .to_vector<double>();
  // The mean, of about 100, is off by a few of its last places.
  for (std::size_t i = 0; i < y.size(); ++i) CHECK(std::fabs(y[i] - exact[i]) < 400 * 0x1p-24);
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
