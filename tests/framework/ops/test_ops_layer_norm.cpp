#include <cmath>

#include "framework/ops/ops.h"
#include "tests/support/catch.h"
#include "tests/support/check_op.h"

using namespace crocuta;
using namespace crocuta::test;

namespace {

struct Results {
  std::vector<double> y, dx, dweight;
};
// layer_norm of x * 2^power, with eps to match: the same y, and dx * 2^power the same again.
Results at_power(const Tensor& x, int power, double eps, DType dtype, Device device) {
  const auto place = [&](const Tensor& t) { return t.to(dtype).to(device); };
  const Tensor input = place(affine(x, std::ldexp(1.0, power), 0));
  const Tensor weight = place(sample({x.size(-1)}, 0.5, 2, 2)),
               bias = place(sample({x.size(-1)}, -1, 1, 3));
  for (const Tensor& leaf : {input, weight}) leaf.set_requires_grad();
  const Tensor y = layer_norm(input, weight, bias, std::ldexp(eps, 2 * power));
  y.backward(place(sample(x.shape(), -1, 1, 4)));
  Results results = {y.to_vector<double>(), input.grad().to_vector<double>(),
                     weight.grad().to_vector<double>()};
  for (double& v : results.dx) v = std::ldexp(v, power);
  return results;
}

}  // namespace

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

TEST_CASE("layer_norm of numbers whose squares overflow is that of any others") {
  for (const Device device : test_devices()) {
    const auto of = [&](double size, DType dtype, double eps) {
      const Tensor x = affine(arange(4).to(DType::float64), size, size).to(dtype).to(device);
      const TensorOptions options = {dtype, device};
      return layer_norm(x, ones({4}, options), zeros({4}, options), eps).to_vector<double>();
    };
    const std::vector<double> right = {-1.3416407865, -0.4472135955, 0.4472135955, 1.3416407865};
    const auto check = [&](double size, DType dtype, double eps) {
      INFO(size << " in " << dtype << " on " << device << ", eps " << eps);
      const double tolerance = dtype == DType::bfloat16 ? 0x1p-7 : 1e-6;
      const auto y = of(size, dtype, eps);
      for (std::size_t i = 0; i < 4; ++i) CHECK(std::fabs(y[i] - right[i]) < tolerance);
    };
    for (const DType dtype : {DType::float32, DType::float64, DType::bfloat16}) {
      for (const double size : {1e18, 1e20, 1e30, 8e37}) check(size, dtype, 1e-5);
      for (const double size : {1e-18, 1e-20, 1e-30, 1e-36}) check(size, dtype, 0);
      check(1e-30, dtype, 1e-70);
      // Numbers that eps hides stay hidden.
      for (const double v : of(1e-30, dtype, 1e-5)) CHECK(std::fabs(v) < 1e-26);
    }
    for (const double size : {1e155, 1e200, 4e307}) check(size, DType::float64, 1e-5);
    for (const double size : {1e-155, 1e-200, 1e-300}) check(size, DType::float64, 0);
  }
}

TEST_CASE("layer_norm and its gradients have the same bits at any power of two") {
  const Tensor x = sample({3, 37}).to(DType::bfloat16).to(DType::float64);
  const auto check = [&](DType dtype, double eps, const std::vector<int>& powers) {
    for (const Device device : test_devices()) {
      const Results expected = at_power(x, 0, eps, dtype, device);
      for (const int power : powers) {
        INFO("2^" << power << " in " << dtype << " on " << device);
        const Results results = at_power(x, power, eps, dtype, device);
        CHECK(results.y == expected.y);
        CHECK(results.dx == expected.dx);
        CHECK(results.dweight == expected.dweight);
      }
    }
  };
  // As far as x * 2^power is exact and dx no subnormal number.
  for (const double eps : {0.0, 0x1p-10}) {
    check(DType::float32, eps, {-100, -75, -63, -50, -30, 30, 50, 60, 63, 75, 100});
    check(DType::bfloat16, eps, {-100, -75, -63, -50, -30, 30, 50, 60, 63, 75, 100});
    check(DType::float64, eps, {-500, -450, -300, 300, 500});
  }
  check(DType::float64, 0, {-1000, -700, 700, 900});  // eps has no more powers
}

TEST_CASE("rows of layer_norm do not learn of each other's scales") {
  for (const Device device : test_devices()) {
    const TensorOptions options = {DType::float32, device};
    const Tensor x = sample({5, 12}), w = ones({12}, options), b = zeros({12}, options);
    const Tensor sizes = from_vector<double>({1, 1e30, 1, 1e-30, INFINITY}, {5, 1});
    const auto y =
        layer_norm((x * sizes).to(DType::float32).to(device), w, b, 1e-5).to_vector<double>();
    const auto alone = layer_norm(x.to(DType::float32).to(device), w, b, 1e-5).to_vector<double>();
    for (std::size_t i = 0; i < y.size(); ++i) {
      INFO("element " << i << " on " << device);
      const std::size_t row = i / 12;
      if (row == 0 || row == 2) CHECK(y[i] == alone[i]);
      if (row == 1) CHECK(std::fabs(y[i] - alone[i]) < 1e-4);  // eps counts in one of them
      if (row == 3) CHECK(std::fabs(y[i]) < 1e-26);
      if (row == 4) CHECK(std::isnan(y[i]));
    }
  }
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
