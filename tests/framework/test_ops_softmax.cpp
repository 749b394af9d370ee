#include <algorithm>
#include <cmath>
#include <limits>

#include "framework/ops.h"
#include "tests/check_op.h"
#include "tests/support/catch.h"

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
