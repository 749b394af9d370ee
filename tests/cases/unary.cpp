#include <cmath>
#include <limits>
#include <map>

#include "framework/ops/ops.h"
#include "tests/cases/declared.h"

namespace crocuta::test {
namespace {

double gelu_of(double x) {
  return x / 2 * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
}
double sigmoid_of(double x) {
  return static_cast<double>(1 / (1 + std::exp(-static_cast<long double>(x))));
}

// Where a function is tried, away from kinks and poles.
struct Piece {
  const char* what;
  Fn op;
  double (*exact)(double);
  double low, high;
};

OpCheck sample_of(const Piece& piece, const Shape& shape, double scale) {
  return {.name = str(piece.what, to_string(shape)),
          .fn = piece.op,
          .oracle = apply(piece.exact),
          .inputs = {sample(shape, piece.low, piece.high, 5)},
          .rounding = 8,
          .scale = scale,
          .gradient = {.elements = 8}};
}

// `scale` is that of terms that cancel, as in 1 + tanh.
Declared function(const char* name, const std::vector<Piece>& pieces, double scale = 0) {
  Declared d{.name = name, .arguments = {"x"}};
  for (const Piece& piece : pieces) {
    d.samples.push_back(sample_of(piece, {3, 5, 7}, scale));
    for (const std::int64_t n : {1, 2, 7, 8, 9, 15, 16, 17, 31, 33}) {
      d.samples.push_back(sample_of(piece, {n}, scale));
    }
    for (const Shape& shape : {Shape{}, Shape{0}, Shape{4, 0}}) {
      d.samples.push_back(sample_of(piece, shape, scale));
    }
  }
  d.sized = [piece = pieces.front(), scale](std::int64_t n) {
    return sample_of(piece, {n}, scale);
  };
  return d;
}

// Adds numbers from `low` to `high` to what the first piece's function is tried with.
void try_also(Declared& d, double low, double high) {
  OpCheck check = d.samples.front();
  check.name = str(d.name, " from ", low, " to ", high);
  check.inputs = {sample({3, 67}, low, high, 5)};
  check.dtypes = {DType::float32, DType::float64, DType::bfloat16};
  d.extremes.push_back(check);
}

// Binds an overload of an op that takes one tensor.
Fn bind(Tensor (*op)(const Tensor&)) {
  return [op](const Tensors& x) { return op(x[0]); };
}
Declared function(const char* name, Tensor (*op)(const Tensor&), double (*exact)(double),
                  double low, double high, double scale = 0) {
  return function(name, {{name, bind(op), exact, low, high}}, scale);
}

Fn bind_pow(double exponent) {
  return [exponent](const Tensors& x) { return pow(x[0], exponent); };
}
Declared declared_pow() {
  Declared d = function(
      "pow", {{"pow 3", bind_pow(3), [](double x) { return x * x * x; }, -2, 2},
              {"pow 2", bind_pow(2), [](double x) { return x * x; }, -2, 2},
              {"pow 1", bind_pow(1), [](double x) { return x; }, -2, 2},
              {"pow 0", bind_pow(0), [](double) { return 1.0; }, -2, 2},
              {"pow -0.5", bind_pow(-0.5), [](double x) { return 1 / std::sqrt(x); }, 0.2, 3}});
  for (const double exponent : {0, 1, 2}) {
    d.refusals.push_back(refusal<DTypeError>(str("pow: 'dtype': ", kFloatingExpected, "int64"),
                                             [=] { pow(arange(3), exponent); }));
  }
  return d;
}

Declared declared_clamp() {
  const Fn op = [](const Tensors& x) { return clamp(x[0], -1, 2); };
  Declared d = function("clamp", {{"clamp inside", op, [](double x) { return x; }, -0.9, 1.9},
                                  {"clamp above", op, [](double) { return 2.0; }, 2.1, 4},
                                  {"clamp below", op, [](double) { return -1.0; }, -4, -1.1}});
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const auto& [low, high] : {std::pair(2.0, 1.0), std::pair(nan, 1.0), std::pair(1.0, nan)}) {
    d.refusals.push_back(refusal<ArgumentError>(
        str("clamp: 'low, high': expected low <= high, got ", low, ", ", high),
        [low = low, high = high] { clamp(zeros({2}), low, high); }));
  }
  return d;
}

}  // namespace

std::vector<Declared> declared_unary() {
  const auto abs_of = [](double x) { return std::fabs(x); };
  std::vector<Declared> ops = {
      function(
          "exp", exp, [](double x) { return std::exp(x); }, -3, 3),
      function(
          "log", log, [](double x) { return std::log(x); }, 0.1, 4),
      function(
          "sqrt", sqrt, [](double x) { return std::sqrt(x); }, 0.1, 4),
      function(
          "rsqrt", rsqrt, [](double x) { return 1 / std::sqrt(x); }, 0.1, 4),
      function(
          "softplus", softplus,
          [](double x) { return std::fmax(x, 0) + std::log1p(std::exp(-std::fabs(x))); }, -5, 5),
      function(
          "sin", sin, [](double x) { return std::sin(x); }, -9, 9),
      function(
          "cos", cos, [](double x) { return std::cos(x); }, -9, 9),
      function(
          "tanh", tanh, [](double x) { return std::tanh(x); }, -3, 3),
      function("abs", {{"abs", bind(abs), abs_of, 0.1, 3},
                       {"abs, negative", bind(abs), abs_of, -3, -0.1}}),
      function(
          "square", square, [](double x) { return x * x; }, -3, 3),
      declared_pow(),
      function("relu", {{"relu", bind(relu), [](double x) { return x; }, 0.1, 3},
                        {"relu, negative", bind(relu), [](double) { return 0.0; }, -3, -0.1}}),
      function("sigmoid", sigmoid, sigmoid_of, -5, 5),
      function(
          "silu", silu, [](double x) { return x * sigmoid_of(x); }, -5, 5),
      function("gelu", gelu, gelu_of, -4, 4, 1),
      declared_clamp()};
  const std::map<std::string, std::pair<double, double>> far = {
      {"exp", {-87, 88}},      {"log", {1e-30, 3e38}},     {"sqrt", {1e-30, 3e38}},
      {"sin", {-1e30, 1e30}},  {"cos", {-1e30, 1e30}},     {"tanh", {-1e38, 1e38}},
      {"abs", {-3e38, 3e38}},  {"square", {-1e19, 1e19}},  {"pow", {-1e12, 1e12}},
      {"relu", {1e20, 3e38}},  {"sigmoid", {-1e38, 1e38}}, {"silu", {-1e38, 1e38}},
      {"gelu", {-1e38, 1e38}}, {"clamp", {-0.9, 1.9}},     {"rsqrt", {1e-10, 3e38}},
      {"softplus", {-80, 1e4}}};
  for (Declared& op : ops) {
    const auto [low, high] = far.at(op.name);
    try_also(op, low, high);
    if (low < 0) try_also(op, low * 1e-60, high * 1e-60);
  }
  return ops;
}

}  // namespace crocuta::test
