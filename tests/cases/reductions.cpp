#include <algorithm>
#include <cmath>

#include "framework/ops/ops.h"
#include "tests/cases/declared.h"

namespace crocuta::test {
namespace {

// fold over the listed dimensions of x, which become 1 or disappear.
Fn fold(std::vector<int> dims, bool keepdim, double start, double (*step)(double, double)) {
  return [=](const Tensors& in) {
    const Shape& from = in[0].shape();
    const auto reduced = [&](std::size_t d) {
      return std::find(dims.begin(), dims.end(), static_cast<int>(d)) != dims.end();
    };
    Shape shape;
    for (std::size_t d = 0; d < from.size(); ++d) {
      if (!reduced(d)) shape.push_back(from[d]);
      if (reduced(d) && keepdim) shape.push_back(1);
    }
    const auto x = in[0].to_vector<double>();
    std::vector<double> y(index(element_count(shape)), start);
    for (std::size_t i = 0; i < x.size(); ++i) {
      auto rest = static_cast<std::int64_t>(i);
      std::int64_t at = 0, stride = 1;
      for (std::size_t d = from.size(); d-- > 0;) {
        if (!reduced(d)) {
          at += rest % from[d] * stride;
          stride *= from[d];
        }
        rest /= from[d];
      }
      y[index(at)] = step(y[index(at)], x[i]);
    }
    return from_vector(y, shape);
  };
}
double plus(double a, double b) {
  return a + b;
}

std::string name_of(const char* op, const Shape& shape, const std::vector<int>& dims) {
  return str(op, to_string(shape), " over ", to_string(Shape(dims.begin(), dims.end())));
}

OpCheck sum_of(const Shape& shape, const std::vector<int>& dims, bool keepdim = false) {
  const double n = static_cast<double>(element_count(shape)) + 1;
  return {.name = name_of("sum", shape, dims),
          .fn = [=](const Tensors& x) { return sum(x[0], dims, keepdim); },
          .oracle = fold(dims, keepdim, 0, plus),
          .inputs = {sample(shape)},
          // Short float sums and double totals: rounding errors add up like a random walk.
          .rounding = 8,
          .scale = std::sqrt(n),
          .gradient = {.elements = 8}};
}

Declared declared_sum() {
  Declared d{.name = "sum", .arguments = {"x"}};
  for (const std::vector<int>& dims : std::vector<std::vector<int>>{{0},
                                                                    {},
                                                                    {1},
                                                                    {2},
                                                                    {3},
                                                                    {0, 1},
                                                                    {1, 2},
                                                                    {2, 3},
                                                                    {0, 2},
                                                                    {1, 3},
                                                                    {0, 3},
                                                                    {0, 1, 3},
                                                                    {0, 1, 2, 3}}) {
    d.samples.push_back(sum_of({3, 4, 5, 6}, dims, false));
    d.samples.push_back(sum_of({3, 4, 5, 6}, dims, true));
  }
  for (const std::int64_t n : {1, 2, 7, 8, 9, 15, 16, 17, 31, 33, 127, 257}) {
    d.samples.push_back(sum_of({n}, {0}));
    d.samples.push_back(sum_of({3, n}, {1}));
    d.samples.push_back(sum_of({n, 3}, {0}));
    d.samples.push_back(sum_of({2, n, 3}, {1}));
  }
  for (const Shape& shape : {Shape{0}, Shape{3, 0}, Shape{0, 3}}) {
    d.samples.push_back(sum_of(shape, {static_cast<int>(shape.size()) - 1}));
  }
  // More than one slice, across memory.
  d.samples.push_back(sum_of({1031, 40}, {0}));
  d.samples.push_back(sum_of({2, 5003, 3}, {1}));
  OpCheck all = sum_of({3, 5}, {0, 1});
  all.fn = [](const Tensors& x) { return sum(x[0]); };
  d.samples.push_back(all);
  OpCheck from_the_end = sum_of({3, 5}, {1});
  from_the_end.fn = [](const Tensors& x) { return sum(x[0], {-1}); };
  d.samples.push_back(from_the_end);
  OpCheck one = sum_of({3, 5}, {1}, true);
  one.fn = [](const Tensors& x) { return sum(x[0], -1, true); };
  d.samples.push_back(one);
  for (const double factor : {0x1p100, 0x1p-100, 0x1p1000}) {
    d.extremes.push_back(enlarged(sum_of({3, 97}, {1}), factor, true));
    d.extremes.push_back(enlarged(sum_of({97, 3}, {0}), factor, true));
  }
  // int64 is summed too, int32 is not.
  for (OpCheck& check : d.samples) check.dtypes.push_back(DType::int64);
  d.sized = [](std::int64_t n) { return sum_of({n}, {0}); };
  d.refusals = {refusal<ShapeError>("sum: 'dim': expected from -2 to 1, got 2",
                                    [] {
                                      sum(zeros({2, 3}), {2});
                                    }),
                refusal<ShapeError>("sum: 'dims': expected each dimension once, got [0, -2]", [] {
                  sum(zeros({2, 3}), {0, -2});
                })};
  return d;
}

OpCheck mean_of(const Shape& shape, const std::vector<int>& dims, bool keepdim = true) {
  OpCheck check = sum_of(shape, dims, keepdim);
  check.name = name_of("mean", shape, dims);
  check.fn = [=](const Tensors& x) { return mean(x[0], dims, keepdim); };
  check.oracle = [=](const Tensors& x) {
    std::vector<double> y = fold(dims, keepdim, 0, plus)(x).to_vector<double>();
    double count = 1;
    for (const int d : dims) count *= static_cast<double>(x[0].size(d));
    for (double& v : y) v /= count;
    return from_vector(y, fold(dims, keepdim, 0, plus)(x).shape());
  };
  return check;
}

Declared declared_mean() {
  OpCheck one = mean_of({3, 5}, {0}, false);
  one.fn = [](const Tensors& x) { return mean(x[0], 0); };
  OpCheck all = mean_of({3, 5}, {0, 1}, false);
  all.fn = [](const Tensors& x) { return mean(x[0]); };
  return {.name = "mean",
          .arguments = {"x"},
          .samples = {mean_of({4, 9}, {0}), mean_of({4, 9}, {1}), mean_of({4, 9}, {0, 1}),
                      mean_of({3, 4, 5}, {0, 2}, false), mean_of({0, 3}, {1}), mean_of({0, 3}, {0}),
                      all, one},
          .sized = [](std::int64_t n) { return mean_of({n}, {0}); },
          .refusals = {refusal<ShapeError>("mean: 'dim': expected from -2 to 1, got -3",
                                           [] {
                                             mean(zeros({2, 3}), {-3});
                                           }),
                       refusal<ShapeError>("mean: 'dims': expected each dimension once, got [1, 1]",
                                           [] {
                                             mean(zeros({2, 3}), {1, 1});
                                           })},
          .extremes = {enlarged(mean_of({3, 97}, {1}), 0x1p100, true),
                       enlarged(mean_of({3, 97}, {1}), 0x1p-100, true),
                       enlarged(mean_of({3, 97}, {1}), 0x1p1000, true)}};
}

Declared declared_sum_to() {
  const auto to = [](const Shape& from, const Shape& shape, const std::vector<int>& dims) {
    OpCheck check = sum_of(from, dims, true);
    check.name = str("sum_to", to_string(from), to_string(shape));
    check.dtypes.push_back(DType::int64);
    check.fn = [=](const Tensors& x) { return sum_to(x[0], shape); };
    check.oracle = [=](const Tensors& x) {
      return from_vector(fold(dims, true, 0, plus)(x).to_vector<double>(), shape);
    };
    return check;
  };
  const auto misfit = [](const Shape& shape) {
    return refusal<ShapeError>(
        str("sum_to: 'shape': expected one that broadcasts to [2, 3], got ", to_string(shape)),
        [=] {
          sum_to(zeros({2, 3}), shape);
        });
  };
  return {.name = "sum_to",
          .arguments = {"x"},
          .samples = {to({2, 3, 7}, {7}, {0, 1}), to({2, 3, 4}, {2, 1, 4}, {1}),
                      to({2, 3, 4}, {3, 1}, {0, 2}), to({2, 3, 4}, {}, {0, 1, 2}),
                      to({2, 3}, {2, 3}, {}), to({0, 3}, {3}, {0}), to({2, 0}, {2, 1}, {1})},
          .sized =
              [=](std::int64_t n) {
                return to({n / 10, 10}, {10}, {0});
              },
          .refusals = {misfit({3, 2}), misfit({2, 4}), misfit({1, 2, 3})}};
}

// Numbers that differ by at least 0.04 from their neighbours along any dimension: rounding them to
// 16 bits or moving one a little makes no other one the largest.
Tensor apart(const Shape& shape) {
  std::vector<double> values;
  for (std::int64_t i = 0; i < element_count(shape); ++i) {
    values.push_back(static_cast<double>(i * 37 % 101) * 0.04 - 2);
  }
  return from_vector(values, shape);
}

Declared declared_max() {
  const auto along = [](int dim, const Shape& shape) {
    return OpCheck{
        .name = name_of("max", shape, {dim}),
        .fn = [=](const Tensors& x) { return max(x[0], dim); },
        .oracle = fold({dim}, false, -HUGE_VAL, [](double a, double b) { return std::max(a, b); }),
        .inputs = {apart(shape)}};
  };
  Declared d{.name = "max", .arguments = {"x"}};
  for (int dim = 0; dim < 3; ++dim) {
    for (const Shape& shape : {Shape{3, 4, 5}, Shape{1, 17, 2}, Shape{2, 1, 33}, Shape{0, 3, 4}}) {
      if (shape[static_cast<std::size_t>(dim)] > 0) d.samples.push_back(along(dim, shape));
    }
  }
  OpCheck all = along(0, {35});
  all.fn = [](const Tensors& x) { return max(x[0]); };
  d.samples.push_back(all);
  d.sized = [=](std::int64_t n) { return along(1, {n / 10, 10}); };
  for (const double factor : {0x1p119, 0x1p-110, 0x1p1000}) {
    d.extremes.push_back(enlarged(along(1, {3, 37}), factor, true));
  }
  d.refusals = {
      refusal<ShapeError>("max: 'dim': expected from -2 to 1, got 2",
                          [] {
                            max(zeros({2, 3}), 2);
                          }),
      refusal<ShapeError>("max: 'dim': expected from 0 to -1, got 0", [] { max(zeros({}), 0); }),
      refusal<ShapeError>("max: 'x': expected at least one element along dimension 1, got [2, 0]",
                          [] {
                            max(zeros({2, 0}), 1);
                          })};
  return d;
}

Declared declared_argmax() {
  const auto last = [](const Shape& shape) {
    return OpCheck{.name = str("argmax", to_string(shape)),
                   .fn = [](const Tensors& x) { return argmax(x[0], -1); },
                   .oracle =
                       [](const Tensors& x) {
                         const auto values = x[0].to_vector<double>();
                         const auto n = index(x[0].size(-1));
                         std::vector<double> y;
                         for (std::size_t row = 0; row < values.size(); row += n) {
                           std::size_t best = 0;
                           for (std::size_t i = 1; i < n; ++i) {
                             if (values[row + i] > values[row + best]) best = i;
                           }
                           y.push_back(static_cast<double>(best));
                         }
                         return from_vector(y, {x[0].shape().begin(), x[0].shape().end() - 1});
                       },
                   .inputs = {sample(shape)},
                   .differentiable = false};
  };
  return {.name = "argmax",
          .arguments = {"x"},
          .samples = {last({3, 4, 5}), last({17}), last({2, 33}), last({2, 1}), last({0, 3})},
          .sized =
              [=](std::int64_t n) {
                return last({n / 10, 10});
              },
          .refusals = {
              refusal<ShapeError>("argmax: 'dim': expected from -2 to 1, got 2",
                                  [] {
                                    argmax(zeros({2, 3}), 2);
                                  }),
              refusal<ShapeError>(
                  "argmax: 'x': expected at least one element along dimension 0, got [0, 2]", [] {
                    argmax(zeros({0, 2}), 0);
                  })}};
}

Declared declared_squared_norm() {
  const auto of = [](const Shape& shape) {
    return OpCheck{.name = str("squared_norm", to_string(shape)),
                   .fn = [](const Tensors& x) { return squared_norm(x[0]); },
                   .oracle =
                       [](const Tensors& x) {
                         long double total = 0;
                         for (const double v : x[0].to_vector<double>()) total += v * v;
                         return from_vector<double>({static_cast<double>(total)}, {});
                       },
                   .inputs = {sample(shape)},
                   .differentiable = false,
                   .rounding = 64};
  };
  const auto of_nothing = refusal<ArgumentError>(
      "backward: 'this': expected a tensor that depends on one requiring a gradient, got one that "
      "does not",
      [] { squared_norm(ones({3}).set_requires_grad()).backward(); });
  return {.name = "squared_norm",
          .arguments = {"x"},
          .samples = {of({3, 5, 7}), of({}), of({7}), of({0})},
          .sized = [=](std::int64_t n) { return of({n}); },
          .refusals = {of_nothing},
          .extremes = {enlarged(of({97}), 0x1p100, true), enlarged(of({97}), 0x1p-100, true),
                       enlarged(of({97}), 0x1p500, true)}};
}

}  // namespace

std::vector<Declared> declared_reductions() {
  return {declared_sum(), declared_mean(),   declared_sum_to(),
          declared_max(), declared_argmax(), declared_squared_norm()};
}

}  // namespace crocuta::test
