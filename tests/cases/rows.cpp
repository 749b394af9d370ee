#include <algorithm>
#include <cmath>

#include "framework/ops/ops.h"
#include "tests/cases/declared.h"

namespace crocuta::test {
namespace {

// f(row) for each row of the last dimension, in place.
Fn by_rows(void (*f)(double* x, std::size_t n)) {
  return [f](const Tensors& x) {
    std::vector<double> values = x[0].to_vector<double>();
    const auto n = index(x[0].size(-1));
    for (std::size_t begin = 0; begin < values.size(); begin += n) f(values.data() + begin, n);
    return from_vector(values, x[0].shape());
  };
}

void softmax_row(double* x, std::size_t n) {
  const double largest = *std::max_element(x, x + n);
  long double sum = 0;
  for (std::size_t i = 0; i < n; ++i) sum += x[i] = std::exp(x[i] - largest);
  for (std::size_t i = 0; i < n; ++i) x[i] = static_cast<double>(x[i] / sum);
}
void log_softmax_row(double* x, std::size_t n) {
  const double largest = *std::max_element(x, x + n);
  long double sum = 0;
  for (std::size_t i = 0; i < n; ++i) sum += std::exp(x[i] - largest);
  for (std::size_t i = 0; i < n; ++i) x[i] = static_cast<double>(x[i] - largest - std::log(sum));
}

constexpr auto softmax_along = static_cast<Tensor (*)(const Tensor&, int)>(softmax);
constexpr auto log_softmax_along = static_cast<Tensor (*)(const Tensor&, int)>(log_softmax);
constexpr auto softmax_of = static_cast<Tensor (*)(const Tensor&)>(softmax);
constexpr auto log_softmax_of = static_cast<Tensor (*)(const Tensor&)>(log_softmax);

Declared softmax_form(bool log) {
  const char* const name = log ? "log_softmax" : "softmax";
  const auto of = [=](const Shape& shape) {
    const double root = std::sqrt(static_cast<double>(shape.back()) + 1);
    return OpCheck{
        .name = str(name, to_string(shape)),
        .fn = [log](const Tensors& x) { return (log ? log_softmax_of : softmax_of)(x[0]); },
        .oracle = by_rows(log ? log_softmax_row : softmax_row),
        .inputs = {sample(shape, -4, 4)},
        .rounding = 16,
        .scale = log ? 8.0 : 0.0,
        .gradient_scale = log ? root : 1,
        .gradient = {.elements = 8}};
  };
  Declared d{.name = name, .arguments = {"x"}};
  for (const std::int64_t n : {1, 2, 7, 8, 9, 15, 16, 17, 31, 33, 97, 513}) {
    d.samples.push_back(of({3, n}));
  }
  for (const Shape& shape :
       {Shape{5}, Shape{2, 3, 4, 5}, Shape{0, 5}, Shape{5, 0}, Shape{2, 5003}}) {
    d.samples.push_back(of(shape));
  }
  OpCheck columns = of({5, 7});
  columns.fn = [log](const Tensors& x) {
    return transpose((log ? log_softmax_along : softmax_along)(transpose(x[0], 0, 1), -2), 0, 1);
  };
  d.samples.push_back(columns);
  // One long row is shared by threads in another way than many short ones, which samples have.
  d.sized = [=](std::int64_t n) { return n < 10000 ? of({n}) : of({n / 13, 13}); };
  for (const double factor : {0x1p10, 0x1p100, 0x1p-100, 0x1p1000}) {
    d.extremes.push_back(enlarged(of({3, 97}), factor, false));
  }
  d.refusals = {refusal<ShapeError>(str(name, ": 'x': expected at least one dimension, got []"),
                                    [=] { (log ? log_softmax_of : softmax_of)(zeros({})); })};
  return d;
}

Fn layer_norm_oracle(double eps) {
  return [eps](const Tensors& in) {
    std::vector<double> x = in[0].to_vector<double>();
    const auto w = in[1].to_vector<double>(), b = in[2].to_vector<double>();
    const std::size_t n = w.size();
    const auto count = static_cast<double>(n);
    for (std::size_t row = 0; row < x.size(); row += n) {
      long double mean = 0, variance = 0;
      for (std::size_t i = 0; i < n; ++i) mean += x[row + i] / count;
      for (std::size_t i = 0; i < n; ++i) {
        variance += (x[row + i] - mean) * (x[row + i] - mean) / count;
      }
      for (std::size_t i = 0; i < n; ++i) {
        x[row + i] =
            static_cast<double>((x[row + i] - mean) / std::sqrt(variance + eps) * w[i] + b[i]);
      }
    }
    return from_vector(x, in[0].shape());
  };
}

OpCheck layer_norm_of(const Shape& shape, double eps) {
  const std::int64_t n = shape.back();
  const auto rows = static_cast<double>(element_count(shape)) / static_cast<double>(n + (n == 0));
  return {.name = str("layer_norm", to_string(shape)),
          .fn = [eps](const Tensors& in) { return layer_norm(in[0], in[1], in[2], eps); },
          .oracle = layer_norm_oracle(eps),
          .inputs = {sample(shape), sample({n}, 0.5, 2, 2), sample({n}, -1, 1, 3)},
          .rounding = 16,
          .scale = 4,
          .gradient_scale = 4 + std::sqrt(rows),
          .gradient = {.elements = 8}};
}

Declared declared_layer_norm() {
  Declared d{.name = "layer_norm", .arguments = {"x", "weight", "bias"}};
  for (const std::int64_t n : {2, 7, 8, 9, 15, 16, 17, 31, 33, 97, 513}) {
    d.samples.push_back(layer_norm_of({5, n}, 1e-2));
  }
  for (const Shape& shape :
       {Shape{6}, Shape{2, 3, 5, 8}, Shape{0, 5}, Shape{3, 0}, Shape{2, 5003}}) {
    d.samples.push_back(layer_norm_of(shape, 1e-5));
  }
  // As many rows as one slice of the backward pass, one more and one less.
  for (const std::int64_t rows : {127, 128, 129, 257, 1031}) {
    d.samples.push_back(layer_norm_of({rows, 6}, 1e-2));
  }
  d.sized = [](std::int64_t n) { return layer_norm_of({n / 13, 13}, 1e-2); };
  for (const double factor : {0x1p63, 0x1p100, 0x1p-100, 0x1p-60, 0x1p700, 0x1p-700}) {
    OpCheck check = enlarged(layer_norm_of({5, 97}, factor < 1 ? 0 : 1e-5), factor, false);
    check.gradient_scale /= std::min(factor, 1.0);  // dx is as large as x is small
    d.extremes.push_back(check);
  }
  const auto misfit = [](const char* message, const Shape& x, const Shape& weight,
                         const Shape& bias) {
    return refusal<ShapeError>(message, [=] { layer_norm(zeros(x), zeros(weight), zeros(bias)); });
  };
  d.refusals = {misfit("layer_norm: 'weight': expected [4], got [3]", {2, 4}, {3}, {4}),
                misfit("layer_norm: 'bias': expected [4], got [2, 4]", {2, 4}, {4}, {2, 4}),
                misfit("layer_norm: 'x': expected at least one dimension, got []", {}, {4}, {4}),
                refusal<ArgumentError>("layer_norm: 'eps': expected at least 0, got -1", [] {
                  layer_norm(zeros({2, 4}), ones({4}), zeros({4}), -1);
                })};
  return d;
}

}  // namespace

std::vector<Declared> declared_rows() {
  return {softmax_form(false), softmax_form(true), declared_layer_norm()};
}

}  // namespace crocuta::test
