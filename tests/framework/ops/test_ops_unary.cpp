#include <cmath>
#include <limits>

#include "framework/ops/ops.h"
#include "tests/cases/declared.h"
#include "tests/support/catch.h"

using namespace crocuta;
using namespace crocuta::test;

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// Binds an overload of an op that takes one tensor.
Fn bind(Tensor (*op)(const Tensor&)) {
  return [op](const std::vector<Tensor>& x) { return op(x[0]); };
}
Fn bind_pow(double exponent) {
  return [exponent](const std::vector<Tensor>& x) { return pow(x[0], exponent); };
}

std::vector<double> values(const Fn& op, const std::vector<double>& x, DType dtype) {
  const Tensor input = from_vector(x, {static_cast<std::int64_t>(x.size())}).to(dtype);
  return op({input}).to_vector<double>();
}

// The gradient of sum(op(x)).
std::vector<double> slopes(const Fn& op, const std::vector<double>& x, DType dtype) {
  const Tensor input = from_vector(x, {static_cast<std::int64_t>(x.size())}).to(dtype).detach();
  input.set_requires_grad();
  sum(op({input})).backward();
  return input.grad().to_vector<double>();
}

bool same(const std::vector<double>& a, const std::vector<double>& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i] != b[i] && !(std::isnan(a[i]) && std::isnan(b[i]))) return false;
  }
  return true;
}

}  // namespace

TEST_CASE("sin and cos of large arguments and of infinity are the library's") {
  std::vector<double> x;
  for (int i = 0; i < 2000; ++i) x.push_back(i % 3 == 0 ? 1e7 * (i - 900) : i);
  x[77] = kInfinity;
  x[78] = kNan;
  const Tensor input = from_vector(x, {2000}).to(DType::float32);
  const auto check_against = [&](const Fn& op, double (*exact)(double), double sign,
                                 double (*slope)(double)) {
    const auto y = values(op, x, DType::float32), dx = slopes(op, x, DType::float32);
    for (std::size_t i = 0; i < x.size(); ++i) {
      const auto rounded = static_cast<double>(static_cast<float>(x[i]));
      if (std::isfinite(rounded)) {
        CHECK(std::fabs(y[i] - exact(rounded)) < 1.5e-7);
        CHECK(std::fabs(dx[i] - sign * slope(rounded)) < 1.5e-7);
      } else {
        CHECK(std::isnan(y[i]));
        CHECK(std::isnan(dx[i]));
      }
    }
  };
  check_against(
      bind(sin), [](double v) { return std::sin(v); }, 1, [](double v) { return std::cos(v); });
  check_against(
      bind(cos), [](double v) { return std::cos(v); }, -1, [](double v) { return std::sin(v); });
}

TEST_CASE("activations saturate without overflow") {
  for (const DType dtype : {DType::float32, DType::float64, DType::bfloat16, DType::float16}) {
    const double most = dtype == DType::float16   ? 65504
                        : dtype == DType::float64 ? 1.7e308
                                                  : 0x1.fep127;
    const std::vector<double> x = {-most, -200, -50, 50, 200, most};
    std::vector<double> positive(x.size());
    for (std::size_t i = 0; i < x.size(); ++i) {
      positive[i] = x[i] > 0 ? from_vector(x, {6}).to(dtype).to_vector<double>()[i] : 0;
    }
    const std::vector<double> step = {0, 0, 0, 1, 1, 1};
    CHECK(same(values(bind(relu), x, dtype), positive));
    CHECK(same(values(bind(gelu), x, dtype), positive));
    CHECK(same(slopes(bind(relu), x, dtype), step));
    CHECK(same(slopes(bind(gelu), x, dtype), step));
    CHECK(same(values(bind(tanh), x, dtype), {-1, -1, -1, 1, 1, 1}));
    CHECK(same(slopes(bind(tanh), x, dtype), {0, 0, 0, 0, 0, 0}));
    for (const double v : values(bind(silu), x, dtype)) CHECK(std::isfinite(v));
    for (const double v : slopes(bind(silu), x, dtype)) CHECK(std::isfinite(v));
    for (const double v : slopes(bind(sigmoid), x, dtype)) CHECK(std::isfinite(v));
    CHECK(values(bind(silu), x, dtype)[5] == most);
    CHECK(slopes(bind(silu), x, dtype)[5] == 1);
    CHECK(std::fabs(values(bind(silu), x, dtype)[0]) == 0);
    CHECK(std::fabs(slopes(bind(silu), x, dtype)[0]) == 0);
  }
}

TEST_CASE("a gradient is as large as it is, whatever its factors") {
  for (const DType dtype : {DType::float32, DType::float64, DType::bfloat16}) {
    const double most = dtype == DType::float64 ? 0x1p1023 : 0x1p127;
    for (const Fn& op : {bind(square), bind_pow(2)}) {
      const Tensor x = full({3}, most, {.dtype = dtype});
      x.set_requires_grad();
      op({x}).backward(full({3}, 0x1p-20, {.dtype = dtype}));
      CHECK(x.grad().to_vector<double>()[0] == most * 0x1p-19);
    }
  }
}

TEST_CASE("NaN spreads through every function, and stays where it is") {
  for (const DType dtype : {DType::float32, DType::float64, DType::bfloat16, DType::float16}) {
    for (const Declared& op : declared_unary()) {
      const OpCheck& sample = op.samples.front();
      std::vector<double> x(20, sample.inputs[0].to_vector<double>()[0]);
      x[3] = kNan;
      const auto y = values(sample.fn, x, dtype);
      INFO(op.name);
      for (std::size_t i = 0; i < x.size(); ++i) CHECK(std::isnan(y[i]) == (i == 3));
    }
  }
}

TEST_CASE("functions at the edges of their domains") {
  for (const DType dtype : {DType::float32, DType::float64}) {
    CHECK(same(values(bind(log), {0, -1, kInfinity, 1}, dtype), {-kInfinity, kNan, kInfinity, 0}));
    CHECK(same(values(bind(sqrt), {0, -1, kInfinity, 4}, dtype), {0, kNan, kInfinity, 2}));
    CHECK(same(values(bind(exp), {-kInfinity, kInfinity, 0}, dtype), {0, kInfinity, 1}));
    CHECK(same(values(bind_pow(0), {0, -1, kNan}, dtype), {1, 1, 1}));
    CHECK(same(slopes(bind_pow(0), {0, -1, 2}, dtype), {0, 0, 0}));
    CHECK(same(slopes(bind(abs), {0, -1, 2}, dtype), {0, -1, 1}));
    CHECK(same(slopes(bind(relu), {0, -1, 2}, dtype), {0, 0, 1}));
    const Fn limit = [](const std::vector<Tensor>& x) { return clamp(x[0], -1, 2); };
    CHECK(same(values(limit, {kNan, -kInfinity, kInfinity}, dtype), {kNan, -1, 2}));
  }
}
