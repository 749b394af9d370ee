#include <algorithm>
#include <cmath>
#include <limits>

#include "framework/ops/ops.h"
#include "tests/support/catch.h"
#include "tests/support/check_op.h"

using namespace crocuta;
using namespace crocuta::test;

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

}  // namespace

TEST_CASE("softmax neither overflows nor loses rows to minus infinity") {
  const Tensor x = tensor({1000, 1000, -kInfinity, -1000});
  CHECK(softmax(x).to_vector() == std::vector<float>{0.5f, 0.5f, 0, 0});
  const auto y = log_softmax(x).to_vector();
  CHECK(y[0] == -std::log(2.0f));
  CHECK(y[2] == -HUGE_VALF);
  CHECK(y[3] == -2000 - std::log(2.0f));
  for (const float v : softmax(tensor({-kInfinity, -kInfinity})).to_vector()) {
    CHECK(std::isnan(v));
  }
}

TEST_CASE("a row of a softmax without a largest number is NaN, at any length") {
  for (const Device device : test_devices()) {
    for (const DType dtype : {DType::float32, DType::float64, DType::bfloat16, DType::float16}) {
      for (const std::size_t n : {1u, 7u, 16u, 33u, 512u, 600u, 9000u}) {
        INFO(dtype << " on " << device << ", n " << n);
        const auto of = [&](std::vector<double> row) {
          const Tensor x = from_vector(row, {1, static_cast<std::int64_t>(n)}).to(dtype).to(device);
          return std::pair(softmax(x).to_vector<double>(), log_softmax(x).to_vector<double>());
        };
        const auto all_nan = [](const std::vector<double>& values) {
          return std::all_of(values.begin(), values.end(), [](double v) { return std::isnan(v); });
        };
        std::vector<double> row(n, -kInfinity);
        for (const double odd : {-kInfinity, kInfinity, double{NAN}}) {
          row[n / 2] = odd;
          const auto [y, log_y] = of(row);
          CHECK(all_nan(y));
          CHECK(all_nan(log_y));
        }
        row[n / 2] = -60000;  // all there is
        const auto [y, log_y] = of(row);
        for (std::size_t i = 0; i < n; ++i) {
          CHECK(y[i] == (i == n / 2 ? 1 : 0));
          CHECK(log_y[i] == (i == n / 2 ? 0 : -kInfinity));
        }
      }
    }
  }
}

TEST_CASE("softmax takes numbers as far apart as there are") {
  for (const Device device : test_devices()) {
    for (const DType dtype : {DType::float32, DType::float64, DType::bfloat16, DType::float16}) {
      INFO(dtype << " on " << device);
      const double most = dtype == DType::float16 ? 65504 : dtype == DType::float64 ? 1e308 : 3e38;
      const Tensor x = from_vector<double>({most, most, -most, 0}, {1, 4}).to(dtype).to(device);
      x.set_requires_grad();
      const Tensor y = softmax(x), dy = from_vector<double>({3, 1, 2, 5}, {1, 4});
      CHECK(y.to_vector<double>() == std::vector<double>{0.5, 0.5, 0, 0});
      y.backward(dy.to(dtype).to(device));
      CHECK(x.grad().to_vector<double>() == std::vector<double>{0.5, -0.5, 0, 0});
      const double log_half = log_softmax(x).to_vector<double>()[1];
      CHECK(std::fabs(log_half + std::log(2.0)) < 2e-3);
    }
  }
}

TEST_CASE("logsumexp takes infinities, and numbers whose exponentials overflow") {
  const double inf = std::numeric_limits<double>::infinity();
  for (const Device device : test_devices()) {
    for (const DType dtype : {DType::float32, DType::float64, DType::bfloat16}) {
      INFO(dtype << " on " << device);
      const Tensor x = from_vector<double>({-inf, -inf, inf, 0, -inf, 3, 1000, 1000}, {4, 2});
      const auto y = logsumexp(x.to(dtype).to(device), 1).to_vector<double>();
      CHECK(y[0] == -inf);
      CHECK(y[1] == inf);
      CHECK(y[2] == 3);
      CHECK(std::fabs(y[3] - (1000 + std::log(2.0))) < 4);
    }
  }
}

TEST_CASE("NaN spreads through its row of a softmax and no further") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const Tensor x = from_vector<double>({1, nan, 3, 4, 5, 6}, {2, 3});
  for (const DType dtype : {DType::float32, DType::float64, DType::bfloat16, DType::float16}) {
    for (const Tensor& y : {softmax(x.to(dtype)), log_softmax(x.to(dtype))}) {
      const auto values = y.to_vector<double>();
      for (std::size_t i = 0; i < 6; ++i) CHECK(std::isnan(values[i]) == (i < 3));
    }
  }
}
