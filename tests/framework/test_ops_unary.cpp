#include <cmath>
#include <limits>

#include "framework/ops.h"
#include "tests/check_op.h"
#include "tests/support/catch.h"

using namespace crocuta;
using namespace crocuta::test;

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

double gelu_of(double x) {
  return x / 2 * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
}
double sigmoid_of(double x) {
  return 1 / (1 + std::exp(-x));
}

struct Unary {
  const char* name;
  Fn op;
  double (*exact)(double);
  double low, high;  // where it is tried, away from kinks and poles
  double scale = 0;  // of terms that cancel, as in 1 + tanh
};

// Binds an overload of an op that takes one tensor.
Fn bind(Tensor (*op)(const Tensor&)) {
  return [op](const std::vector<Tensor>& x) { return op(x[0]); };
}
Fn bind_pow(double exponent) {
  return [exponent](const std::vector<Tensor>& x) { return pow(x[0], exponent); };
}

const std::vector<Unary>& ops() {
  static const std::vector<Unary> list = {
      {"exp", bind(exp), [](double x) { return std::exp(x); }, -3, 3},
      {"log", bind(log), [](double x) { return std::log(x); }, 0.1, 4},
      {"sqrt", bind(sqrt), [](double x) { return std::sqrt(x); }, 0.1, 4},
      {"sin", bind(sin), [](double x) { return std::sin(x); }, -9, 9},
      {"cos", bind(cos), [](double x) { return std::cos(x); }, -9, 9},
      {"tanh", bind(tanh), [](double x) { return std::tanh(x); }, -3, 3},
      {"abs", bind(abs), [](double x) { return std::fabs(x); }, 0.1, 3},
      {"abs, negative", bind(abs), [](double x) { return std::fabs(x); }, -3, -0.1},
      {"square", bind(square), [](double x) { return x * x; }, -3, 3},
      {"pow 3", bind_pow(3), [](double x) { return x * x * x; }, -2, 2},
      {"pow 2", bind_pow(2), [](double x) { return x * x; }, -2, 2},
      {"pow 1", bind_pow(1), [](double x) { return x; }, -2, 2},
      {"pow 0", bind_pow(0), [](double) { return 1.0; }, -2, 2},
      {"pow -0.5", bind_pow(-0.5), [](double x) { return 1 / std::sqrt(x); }, 0.2, 3},
      {"relu, positive", bind(relu), [](double x) { return x; }, 0.1, 3},
      {"relu, negative", bind(relu), [](double) { return 0.0; }, -3, -0.1},
      {"sigmoid", bind(sigmoid), sigmoid_of, -5, 5},
      {"silu", bind(silu), [](double x) { return x * sigmoid_of(x); }, -5, 5},
      {"gelu", bind(gelu), gelu_of, -4, 4, 1},
  };
  return list;
}

void check(const Unary& op, const Shape& shape, std::int64_t elements = 48) {
  check_op({.name = str(op.name, to_string(shape)),
            .fn = op.op,
            .oracle = apply(op.exact),
            .inputs = {sample(shape, op.low, op.high, 5)},
            .rounding = 8,
            .scale = op.scale,
            .gradient = {.elements = elements}});
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

TEST_CASE("functions of one variable at vector widths, one more and one less") {
  for (const Unary& op : ops()) {
    for (const std::int64_t n : {1, 2, 7, 8, 9, 15, 16, 17, 31, 33}) check(op, {n}, 8);
  }
}

TEST_CASE("functions of one variable on several dimensions, on one number and on none") {
  for (const Unary& op : ops()) {
    check(op, {3, 5, 7});
    check(op, {});
    check(op, {0});
    check(op, {4, 0});
  }
}

TEST_CASE("functions of one variable on more elements than one thread takes") {
  for (const Unary& op : ops()) {
    check_op({.name = op.name,
              .fn = op.op,
              .oracle = apply(op.exact),
              .inputs = {sample({65537}, op.low, op.high, 5)},
              .dtypes = {DType::float32},
              .rounding = 8,
              .scale = op.scale,
              .gradient = {.elements = 2}});
  }
}

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
  const std::vector<double> x = {-1e30, -200, -50, 50, 200, 1e30};
  for (const DType dtype : {DType::float32, DType::float64, DType::bfloat16}) {
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
  }
}

TEST_CASE("NaN spreads through every function, and stays where it is") {
  for (const DType dtype : {DType::float32, DType::float64, DType::bfloat16, DType::float16}) {
    for (const Unary& op : ops()) {
      if (std::string(op.name) == "pow 0") continue;
      std::vector<double> x(20, (op.low + op.high) / 2);
      x[3] = kNan;
      const auto y = values(op.op, x, dtype);
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
  }
}

TEST_CASE("clamp limits values and stops gradients outside") {
  const Fn op = [](const std::vector<Tensor>& x) { return clamp(x[0], -1, 2); };
  check_op({.name = "clamp inside",
            .fn = op,
            .oracle = apply([](double x) { return x; }),
            .inputs = {sample({17}, -0.9, 1.9)}});
  check_op({.name = "clamp above",
            .fn = op,
            .oracle = apply([](double) { return 2.0; }),
            .inputs = {sample({17}, 2.1, 4)}});
  check_op({.name = "clamp below",
            .fn = op,
            .oracle = apply([](double) { return -1.0; }),
            .inputs = {sample({17}, -4, -1.1)}});
  CHECK(same(values(op, {kNan, -kInfinity, kInfinity}, DType::float32), {kNan, -1, 2}));
  CHECK(message_of<ArgumentError>([] { clamp(zeros({2}), 2, 1); }) ==
        "clamp: 'low, high': expected low <= high, got 2, 1");
  CHECK(message_of<ArgumentError>([] { clamp(zeros({2}), kNan, 1); }) ==
        "clamp: 'low, high': expected low <= high, got nan, 1");
}

TEST_CASE("integers and undefined tensors are refused by name") {
  for (const Unary& op : ops()) {
    const std::string name =
        std::string(op.name).substr(0, std::string(op.name).find_first_of(" ,"));
    if (name == "pow") continue;
    CHECK(message_of<DTypeError>([&] { op.op({arange(3)}); }) ==
          name + ": 'dtype': expected float32, float64, bfloat16 or float16, got int64");
    CHECK(message_of<DTypeError>([&] { op.op({arange(3, {.dtype = DType::int32})}); }) ==
          name + ": 'dtype': expected float32, float64, bfloat16 or float16, got int32");
    CHECK_THAT(message_of<ArgumentError>([&] { op.op({Tensor()}); }), ContainsSubstring("defined"));
  }
}
