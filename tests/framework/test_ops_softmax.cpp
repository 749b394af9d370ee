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

// f(row) for each row of the last dimension, in place.
template <class F>
Fn by_rows(F f) {
  return [f](const std::vector<Tensor>& x) {
    std::vector<double> values = x[0].to_vector<double>();
    const auto n = static_cast<std::size_t>(x[0].size(-1));
    for (std::size_t begin = 0; begin < values.size(); begin += n) f(values.data() + begin, n);
    return from_vector(values, x[0].shape());
  };
}

void softmax_row(double* x, std::size_t n) {
  const double largest = *std::max_element(x, x + n);
  double sum = 0;
  for (std::size_t i = 0; i < n; ++i) sum += x[i] = std::exp(x[i] - largest);
  for (std::size_t i = 0; i < n; ++i) x[i] /= sum;
}
void log_softmax_row(double* x, std::size_t n) {
  const double largest = *std::max_element(x, x + n);
  double sum = 0;
  for (std::size_t i = 0; i < n; ++i) sum += std::exp(x[i] - largest);
  for (std::size_t i = 0; i < n; ++i) x[i] -= largest + std::log(sum);
}

void check(const Shape& shape, std::vector<DType> dtypes = OpCheck{}.dtypes) {
  const Tensor x = sample(shape, -4, 4);
  check_op({.name = str("softmax", to_string(shape)),
            .fn = [](const std::vector<Tensor>& in) { return softmax(in[0]); },
            .oracle = by_rows(softmax_row),
            .inputs = {x},
            .dtypes = dtypes,
            .rounding = 16,
            .gradient = {.elements = 8}});
  check_op({.name = str("log_softmax", to_string(shape)),
            .fn = [](const std::vector<Tensor>& in) { return log_softmax(in[0]); },
            .oracle = by_rows(log_softmax_row),
            .inputs = {x},
            .dtypes = dtypes,
            .rounding = 16,
            .scale = 8,
            .gradient_scale = std::sqrt(static_cast<double>(shape.back()) + 1),
            .gradient = {.elements = 8}});
}

}  // namespace

TEST_CASE("softmax of rows of awkward lengths") {
  for (const std::int64_t n : {1, 2, 7, 8, 9, 15, 16, 17, 31, 33, 97, 513}) check({3, n});
}

TEST_CASE("softmax of one dimension, of many, and of nothing") {
  check({5});
  check({2, 3, 4, 5});
  check({0, 5});
  check({5, 0});
}

TEST_CASE("softmax of one very long row and of very many short rows") {
  check({70001}, {DType::float32});
  check({30011, 3}, {DType::float32});
}

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

TEST_CASE("softmax refuses numbers without a dimension, and integers") {
  CHECK(message_of<ShapeError>([] { softmax(full({}, 1)); }) ==
        "softmax: 'x': expected at least one dimension, got []");
  CHECK(message_of<ShapeError>([] { log_softmax(full({}, 1)); }) ==
        "log_softmax: 'x': expected at least one dimension, got []");
  CHECK(message_of<DTypeError>([] { softmax(arange(3)); }) ==
        "softmax: 'dtype': expected float32, float64, bfloat16 or float16, got int64");
  CHECK(message_of<DTypeError>([] { log_softmax(arange(3)); }) ==
        "log_softmax: 'dtype': expected float32, float64, bfloat16 or float16, got int64");
  CHECK_THAT(message_of<ArgumentError>([] { softmax(Tensor()); }), ContainsSubstring("defined"));
}
