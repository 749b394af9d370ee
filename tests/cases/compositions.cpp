// Ops that are made of other ops.
#include <algorithm>
#include <cmath>

#include "framework/ops/ops.h"
#include "tests/cases/moving.h"

namespace crocuta::test {
namespace {

constexpr std::int64_t kEnd = INT64_MAX;

Declared declared_slice() {
  // Elements start, start + step, ... of dimension 1, `length` of them, that slice(...) should give.
  const auto of = [](const Shape& x, std::int64_t from, std::int64_t stop, std::int64_t step,
                     std::int64_t start, std::int64_t length) {
    return moving(
        str("slice ", from, ":", stop, ":", step), x,
        [=](const Tensors& in) { return slice(in[0], 1, from, stop, step); },
        gather({x[0], length}, [=](const Index& i) {
          return Index{i[0], start + i[1] * step};
        }));
  };
  return {.name = "slice",
          .arguments = {"x"},
          .samples = {of({3, 11}, 2, 9, 1, 2, 7), of({3, 11}, 0, kEnd, 2, 0, 6),
                      of({3, 11}, 1, kEnd, 3, 1, 4), of({3, 11}, -4, -1, 1, 7, 3),
                      of({3, 11}, -99, 99, 5, 0, 3), of({3, 11}, 7, 3, 2, 7, 0),
                      of({3, 11}, 11, kEnd, 1, 11, 0), of({0, 4}, 0, 4, 2, 0, 2),
                      of({2, 0}, 0, kEnd, 2, 0, 0)},
          .sized =
              [=](std::int64_t n) {
                return of({n / 10, 10}, 1, kEnd, 2, 1, 5);
              },
          .refusals = {refused<ArgumentError>("slice: 'step': expected at least 1, got 0",
                                              [](const Tensor& x) { slice(x, 0, 0, 1, 0); }),
                       refused<ArgumentError>("slice: 'step': expected at least 1, got -1",
                                              [](const Tensor& x) { slice(x, 0, 1, 0, -1); }),
                       refused("slice: 'dim': expected from -2 to 1, got 2",
                               [](const Tensor& x) { slice(x, 2, 0, 1); })}};
}

Declared declared_stack() {
  // Two tensors of shape [rows, 5] along a new dimension in the middle.
  const auto of = [](std::int64_t rows) {
    OpCheck check = moving(
        "stack", {}, [](const Tensors& in) { return stack(in, 1); },
        [=](const Tensors& in) {
          std::vector<double> y;
          const auto a = in[0].to_vector<double>(), b = in[1].to_vector<double>();
          for (std::size_t row = 0; row < a.size(); row += 5) {
            for (const auto* x : {&a, &b}) y.insert(y.end(), &(*x)[row], &(*x)[row] + 5);
          }
          return from_vector(y, {rows, 2, 5});
        });
    check.inputs = {sample({rows, 5}), sample({rows, 5}, -1, 1, 2)};
    return check;
  };
  OpCheck behind = of(7), scalars = of(1);
  behind.fn = [](const Tensors& in) { return permute(stack(in, -1), {0, 2, 1}); };
  scalars.fn = [](const Tensors& in) { return stack(in, 0); };
  scalars.oracle = [](const Tensors& in) {
    return from_vector<double>({in[0].item(), in[1].item()}, {2});
  };
  scalars.inputs = {sample({}), sample({}, -1, 1, 2)};
  return {.name = "stack",
          .arguments = {"xs", "xs"},
          .samples = {of(3), behind, scalars, of(0)},
          .sized = [=](std::int64_t n) { return of(n / 10); },
          .refusals = {refused("stack: 'xs': expected [2, 3], got [3, 2]",
                               [](const Tensor& x) {
                                 stack({x, zeros({3, 2})}, 0);
                               }),
                       refused("stack: 'dim': expected from -3 to 2, got 3",
                               [](const Tensor& x) {
                                 stack({x, x}, 3);
                               }),
                       refused<ArgumentError>("stack: 'xs': expected at least one tensor, got none",
                                              [](const Tensor&) { stack({}, 0); })}};
}

// Part `i` of what `parts` makes of dimension 1: elements [start, start + length).
OpCheck part_of(const std::string& name, const Shape& x,
                std::function<Tensors(const Tensor&)> parts, std::size_t count, std::size_t i,
                std::int64_t start, std::int64_t length) {
  return moving(
      str(name, ", part ", i), x,
      [=](const Tensors& in) {
        const Tensors all = parts(in[0]);
        if (all.size() != count) throw Error(str(name, ": ", all.size(), " parts"));
        return all[i];
      },
      gather({x[0], length}, [=](const Index& at) {
        return Index{at[0], start + at[1]};
      }));
}

Declared declared_split() {
  const auto of = [](const Shape& x, std::int64_t size, std::size_t count, std::size_t i,
                     std::int64_t length) {
    return part_of(
        str("split in ", size), x, [=](const Tensor& t) { return split(t, size, 1); }, count, i,
        static_cast<std::int64_t>(i) * size, length);
  };
  return {.name = "split",
          .arguments = {"x"},
          .samples = {of({3, 11}, 4, 3, 0, 4), of({3, 11}, 4, 3, 2, 3), of({3, 11}, 11, 1, 0, 11),
                      of({3, 11}, 50, 1, 0, 11), of({2, 0}, 3, 1, 0, 0), of({0, 4}, 2, 2, 1, 2)},
          .sized =
              [=](std::int64_t n) {
                return of({n / 10, 10}, 3, 4, 3, 1);
              },
          .refusals = {refused<ArgumentError>("split: 'size': expected at least 1, got 0",
                                              [](const Tensor& x) { split(x, 0, 0); }),
                       refused("split: 'dim': expected from -2 to 1, got -3",
                               [](const Tensor& x) { split(x, 1, -3); })}};
}

Declared declared_chunk() {
  const auto of = [](const Shape& x, std::int64_t wanted, std::size_t count, std::size_t i,
                     std::int64_t start, std::int64_t length) {
    return part_of(
        str("chunk in ", wanted), x, [=](const Tensor& t) { return chunk(t, wanted, 1); }, count, i,
        start, length);
  };
  return {
      .name = "chunk",
      .arguments = {"x"},
      // 9 in 4 chunks are 3 of 3.
      .samples = {of({3, 11}, 3, 3, 1, 4, 4), of({3, 11}, 3, 3, 2, 8, 3), of({3, 9}, 4, 3, 2, 6, 3),
                  of({3, 2}, 5, 2, 1, 1, 1), of({2, 0}, 3, 1, 0, 0, 0)},
      .sized =
          [=](std::int64_t n) {
            return of({n / 10, 10}, 2, 2, 1, 5, 5);
          },
      .refusals = {refused<ArgumentError>("chunk: 'count': expected at least 1, got 0",
                                          [](const Tensor& x) { chunk(x, 0, 0); }),
                   refused("chunk: 'dim': expected from -2 to 1, got 2",
                           [](const Tensor& x) { chunk(x, 1, 2); })}};
}

// f(row) of each row of the last dimension of [rows, n], as [rows].
Fn of_rows(std::function<double(const std::vector<double>& row)> f) {
  return [f](const Tensors& in) {
    const auto x = in[0].to_vector<double>();
    const std::int64_t rows = in[0].size(0), n = in[0].size(1);
    std::vector<double> y;
    for (std::int64_t i = 0; i < rows; ++i) {
      y.push_back(f({x.begin() + i * n, x.begin() + (i + 1) * n}));
    }
    return from_vector(y, {rows});
  };
}

double variance(const std::vector<double>& row, double correction) {
  long double mean = 0, sum = 0;
  for (const double v : row) mean += v;
  mean /= static_cast<long double>(row.size());
  for (const double v : row) sum += (v - mean) * (v - mean);
  return static_cast<double>(sum / (static_cast<long double>(row.size()) - correction));
}

Declared spread(const char* name, bool root) {
  const auto of = [=](std::int64_t rows, std::int64_t n, std::int64_t correction) {
    return OpCheck{
        .name = str(name, "[", rows, ", ", n, "], correction ", correction),
        .fn = [=](const Tensors& x) { return (root ? std : var)(x[0], {1}, correction, false); },
        .oracle = of_rows([=](const std::vector<double>& row) {
          const double v = variance(row, static_cast<double>(correction));
          return root ? std::sqrt(v) : v;
        }),
        .inputs = {sample({rows, n})},
        .rounding = 32,
        .gradient = {.elements = 8}};
  };
  OpCheck kept = of(3, 7, 1);
  kept.fn = [=](const Tensors& x) { return squeeze((root ? std : var)(x[0], {-1}, 1, true), 1); };
  const auto too_few = [=](const char* message, std::int64_t correction) {
    return refused(message,
                   [=](const Tensor& x) { (root ? std : var)(x, {1}, correction, false); });
  };
  const std::string few =
      str(name, ": 'x': expected more than 3 elements to take it of, got 3 of [2, 3]");
  Declared d{.name = name,
             .arguments = {"x"},
             .samples = {of(3, 11, 1), of(3, 2, 1), of(2, 33, 0), of(0, 5, 1), kept},
             .sized = [=](std::int64_t n) { return of(n / 10, 10, 1); }};
  d.refusals = {too_few(few.c_str(), 3),
                refused(str(name, ": 'dim': expected from -2 to 1, got 2").c_str(),
                        [=](const Tensor& x) { (root ? std : var)(x, {2}, 1, false); })};
  return d;
}

// As in reductions.cpp: no other element becomes the smallest by rounding.
Tensor apart(const Shape& shape) {
  std::vector<double> values;
  for (std::int64_t i = 0; i < element_count(shape); ++i) {
    values.push_back(static_cast<double>(i * 37 % 101) * 0.04 - 2);
  }
  return from_vector(values, shape);
}

Declared declared_min() {
  const auto of = [](std::int64_t rows, std::int64_t n) {
    return OpCheck{.name = str("min[", rows, ", ", n, "]"),
                   .fn = [](const Tensors& x) { return min(x[0], 1); },
                   .oracle = of_rows([](const std::vector<double>& row) {
                     return *std::min_element(row.begin(), row.end());
                   }),
                   .inputs = {apart({rows, n})}};
  };
  OpCheck all = of(1, 35);
  all.fn = [](const Tensors& x) { return reshape(min(x[0]), {1}); };
  OpCheck columns = of(5, 7);
  columns.fn = [](const Tensors& x) { return min(transpose(x[0], 0, 1), -2); };
  return {.name = "min",
          .arguments = {"x"},
          .samples = {of(3, 5), of(2, 33), of(2, 1), of(0, 4), all, columns},
          .sized = [=](std::int64_t n) { return of(n / 10, 10); },
          .refusals = {refused("min: 'dim': expected from -2 to 1, got 2",
                               [](const Tensor& x) { min(x, 2); }),
                       refused("min: 'x': expected at least one element along dimension 0, got [0]",
                               [](const Tensor&) { min(zeros({0})); })},
          .extremes = {enlarged(of(3, 37), 0x1p119, true), enlarged(of(3, 37), 0x1p-110, true)}};
}

Declared declared_argmin() {
  const auto of = [](std::int64_t rows, std::int64_t n) {
    return OpCheck{
        .name = str("argmin[", rows, ", ", n, "]"),
        .fn = [](const Tensors& x) { return argmin(x[0], -1); },
        .oracle = of_rows([](const std::vector<double>& row) {
          return static_cast<double>(std::min_element(row.begin(), row.end()) - row.begin());
        }),
        .inputs = {apart({rows, n})},
        .differentiable = false};
  };
  return {.name = "argmin",
          .arguments = {"x"},
          .samples = {of(3, 5), of(2, 33), of(2, 1), of(0, 3)},
          .sized = [=](std::int64_t n) { return of(n / 10, 10); },
          .refusals = {
              refused("argmin: 'dim': expected from -2 to 1, got 2",
                      [](const Tensor& x) { argmin(x, 2); }),
              refused("argmin: 'x': expected at least one element along dimension 0, got [0, 2]",
                      [](const Tensor&) {
                        argmin(zeros({0, 2}), 0);
                      })}};
}

Declared declared_logsumexp() {
  const auto of = [](std::int64_t rows, std::int64_t n) {
    return OpCheck{.name = str("logsumexp[", rows, ", ", n, "]"),
                   .fn = [](const Tensors& x) { return logsumexp(x[0], 1); },
                   .oracle = of_rows([](const std::vector<double>& row) {
                     const double top = *std::max_element(row.begin(), row.end());
                     long double sum = 0;
                     for (const double v : row) sum += std::exp(v - top);
                     return static_cast<double>(top + std::log(sum));
                   }),
                   .inputs = {sample({rows, n}, -4, 4)},
                   .rounding = 16,
                   .scale = 8,
                   .gradient = {.elements = 8}};
  };
  OpCheck kept = of(5, 7);
  kept.fn = [](const Tensors& x) { return squeeze(logsumexp(x[0], -1, true), 1); };
  return {
      .name = "logsumexp",
      .arguments = {"x"},
      .samples = {of(3, 11), of(2, 33), of(4, 1), of(0, 3), kept},
      .sized = [=](std::int64_t n) { return of(n / 10, 10); },
      .refusals = {refused("logsumexp: 'dim': expected from -2 to 1, got 2",
                           [](const Tensor& x) { logsumexp(x, 2); }),
                   refused("logsumexp: 'x': expected at least one element along dimension 1, got "
                           "[2, 0]",
                           [](const Tensor&) {
                             logsumexp(zeros({2, 0}), 1);
                           })},
      .extremes = {enlarged(of(3, 37), 0x1p10, false), enlarged(of(3, 37), 0x1p-100, false)}};
}

}  // namespace

std::vector<Declared> declared_compositions() {
  return {declared_slice(), declared_stack(),     declared_split(),
          declared_chunk(), spread("var", false), spread("std", true),
          declared_min(),   declared_argmin(),    declared_logsumexp()};
}

}  // namespace crocuta::test
