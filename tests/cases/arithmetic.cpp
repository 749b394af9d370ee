#include "framework/ops/ops.h"
#include "tests/cases/declared.h"

namespace crocuta::test {
namespace {

using Binary = Tensor (*)(const Tensor&, const Tensor&);

OpCheck sample_of(const char* name, Binary op, double (*exact)(double, double), const Shape& a,
                  const Shape& b, const std::vector<DType>& dtypes) {
  // Divisors stay away from zero.
  return {.name = str(name, to_string(a), to_string(b)),
          .fn = [op](const Tensors& x) { return op(x[0], x[1]); },
          .oracle = apply(exact),
          .inputs = {sample(a, -2, 2, 11), sample(b, 0.5, 2, 12)},
          .dtypes = dtypes,
          .rounding = 8,
          .gradient_scale = static_cast<double>(element_count(a) + element_count(b) + 1)};
}

Declared binary(const char* name, Binary op, double (*exact)(double, double),
                const std::vector<DType>& dtypes) {
  const auto of = [=](const Shape& a, const Shape& b) {
    return sample_of(name, op, exact, a, b, dtypes);
  };
  Declared d{.name = name, .arguments = {"a", "b"}};
  d.samples = {of({3, 5, 7}, {3, 5, 7}), of({}, {}),
               // Broadcast as NumPy does.
               of({3, 5}, {5}), of({5}, {3, 5}), of({3, 1}, {1, 5}), of({2, 1, 4, 1}, {3, 1, 6}),
               of({}, {2, 3}), of({2, 3}, {1}), of({0}, {0}), of({3, 0}, {1}),
               of({2, 0, 5}, {0, 5})};
  for (const std::int64_t n : {1, 2, 7, 8, 9, 15, 16, 17, 31, 33, 97}) {
    d.samples.push_back(of({n}, {n}));
  }
  d.sized = [=](std::int64_t n) { return of({n}, {n}); };
  for (const double factor : {0x1p100, 0x1p-100}) {
    d.extremes.push_back(enlarged(of({3, 37}, {3, 37}), factor, true));
  }
  const auto misfit = [=](const Shape& a, const Shape& b) {
    return refusal<ShapeError>(str(name, ": 'b': expected a shape that broadcasts with ",
                                   to_string(a), ", got ", to_string(b)),
                               [=] { op(zeros(a), zeros(b)); });
  };
  d.refusals = {misfit({2, 3}, {2, 4}), misfit({2, 3}, {3, 3}), misfit({2}, {0})};
  return d;
}

// A function of one tensor and a number.
OpCheck with_number(const char* name, const Fn& fn, double (*exact)(double), const Shape& shape) {
  return {.name = str(name, to_string(shape)),
          .fn = fn,
          .oracle = apply(exact),
          .inputs = {sample(shape)},
          .scale = 6};
}

Declared declared_affine() {
  const auto affine_of = [](const Shape& shape) {
    return with_number(
        "affine", [](const Tensors& x) { return affine(x[0], -2.5, 0.75); },
        [](double x) { return -2.5 * x + 0.75; }, shape);
  };
  const auto operation = [](const char* name, Tensor (*op)(const Tensor&),
                            double (*exact)(double)) {
    return with_number(name, [op](const Tensors& x) { return op(x[0]); }, exact, {3, 7});
  };
  return {
      .name = "affine",
      .arguments = {"x"},
      .samples =
          {affine_of({5, 7}), affine_of({}), affine_of({0, 3}),
           operation(
               "x + c", [](const Tensor& x) { return x + 1.5; }, [](double x) { return x + 1.5; }),
           operation(
               "c + x", [](const Tensor& x) { return 1.5 + x; }, [](double x) { return x + 1.5; }),
           operation(
               "x - c", [](const Tensor& x) { return x - 1.5; }, [](double x) { return x - 1.5; }),
           operation(
               "c - x", [](const Tensor& x) { return 1.5 - x; }, [](double x) { return 1.5 - x; }),
           operation(
               "x * c", [](const Tensor& x) { return x * 3.0; }, [](double x) { return 3 * x; }),
           operation(
               "c * x", [](const Tensor& x) { return 3.0 * x; }, [](double x) { return 3 * x; }),
           operation(
               "x / c", [](const Tensor& x) { return x / 4.0; }, [](double x) { return x / 4; })},
      .sized = [=](std::int64_t n) { return affine_of({n}); }};
}

Declared declared_neg() {
  const auto of = [](Tensor (*op)(const Tensor&), const Shape& shape) {
    OpCheck check = with_number(
        "neg", [op](const Tensors& x) { return op(x[0]); }, [](double x) { return -x; }, shape);
    check.scale = 0;
    check.rounding = 1;
    return check;
  };
  return {.name = "neg",
          .arguments = {"x"},
          .samples = {of(neg, {5, 7}), of([](const Tensor& x) { return -x; }, {5, 7}), of(neg, {}),
                      of(neg, {0})},
          .sized = [=](std::int64_t n) { return of(neg, {n}); }};
}

}  // namespace

std::vector<Declared> declared_arithmetic() {
  const std::vector<DType> floating = OpCheck{}.dtypes;
  std::vector<Declared> ops = {
      binary(
          "add", add, [](double a, double b) { return a + b; }, kAllDTypes),
      binary(
          "sub", sub, [](double a, double b) { return a - b; }, kAllDTypes),
      binary(
          "mul", mul, [](double a, double b) { return a * b; }, kAllDTypes),
      binary(
          "div", div, [](double a, double b) { return a / b; }, floating),
      declared_affine(),
      declared_neg()};
  // The operators are other names of these.
  const Binary operators[] = {[](const Tensor& a, const Tensor& b) { return a + b; },
                              [](const Tensor& a, const Tensor& b) { return a - b; },
                              [](const Tensor& a, const Tensor& b) { return a * b; },
                              [](const Tensor& a, const Tensor& b) { return a / b; }};
  for (std::size_t i = 0; i < 4; ++i) {
    OpCheck check = ops[i].samples[2];
    check.fn = [op = operators[i]](const Tensors& x) { return op(x[0], x[1]); };
    ops[i].samples.push_back(check);
  }
  OpCheck inverse = with_number(
      "c / x", [](const Tensors& x) { return 3.0 / x[0]; }, [](double x) { return 3 / x; }, {5, 7});
  inverse.inputs = {sample({5, 7}, 0.5, 2)};
  inverse.gradient_scale = 24;
  ops[3].samples.push_back(inverse);
  return ops;
}

}  // namespace crocuta::test
