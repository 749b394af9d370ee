#include "tests/cases/moving.h"

namespace crocuta::test {
namespace {

Declared declared_reshape() {
  const auto to = [](const Shape& x, const Shape& wanted, const Shape& shape) {
    return moving(
        "reshape", x, [=](const Tensors& in) { return reshape(in[0], wanted); },
        same_elements(shape));
  };
  return {.name = "reshape",
          .arguments = {"x"},
          .samples = {to({2, 3, 4}, {6, 4}, {6, 4}), to({2, 3, 4}, {-1}, {24}),
                      to({6, 4}, {2, -1, 2}, {2, 6, 2}), to({1}, {}, {}), to({}, {1, 1}, {1, 1}),
                      to({0, 3}, {3, 0}, {3, 0}), to({7}, {7, 1}, {7, 1})},
          .sized =
              [=](std::int64_t n) {
                return to({n / 10, 10}, {10, -1}, {10, n / 10});
              },
          .refusals = {
              refused("reshape: 'shape': expected a shape of 6 elements, as x [2, 3], got [4, -1]",
                      [](const Tensor& x) {
                        reshape(x, {4, -1});
                      }),
              refused("reshape: 'shape': expected a shape of 6 elements, as x [2, 3], got [-1, -1]",
                      [](const Tensor& x) {
                        reshape(x, {-1, -1});
                      }),
              refused("reshape: 'shape': expected a shape of 6 elements, as x [2, 3], got [-2, -3]",
                      [](const Tensor& x) {
                        reshape(x, {-2, -3});
                      }),
              refused("reshape: 'shape': expected a shape of 6 elements, as x [2, 3], got [5]",
                      [](const Tensor& x) { reshape(x, {5}); }),
              refused("reshape: 'shape': expected a shape of 0 elements, as x [0], got [0, -1]",
                      [](const Tensor&) {
                        reshape(zeros({0}), {0, -1});
                      })}};
}

Declared declared_permute() {
  return {
      .name = "permute",
      .arguments = {"x"},
      .samples = {moving(
                      "permute 2 0 1", {2, 3, 5},
                      [](const Tensors& in) {
                        return permute(in[0], {2, 0, 1});
                      },
                      gather({5, 2, 3},
                             [](const Index& i) {
                               return Index{i[1], i[2], i[0]};
                             })),
                  moving(
                      "permute 1 -4 3 2", {2, 3, 1, 5},
                      [](const Tensors& in) {
                        return permute(in[0], {1, -4, 3, 2});
                      },
                      gather({3, 2, 5, 1},
                             [](const Index& i) {
                               return Index{i[1], i[0], i[3], i[2]};
                             })),
                  moving(
                      "permute 1 0", {0, 3},
                      [](const Tensors& in) {
                        return permute(in[0], {1, 0});
                      },
                      gather({3, 0}, nullptr))},
      .sized =
          [](std::int64_t n) {
            return moving(
                "permute 1 0", {n / 10, 10},
                [](const Tensors& in) {
                  return permute(in[0], {1, 0});
                },
                gather({10, n / 10}, [](const Index& i) {
                  return Index{i[1], i[0]};
                }));
          },
      .refusals = {refused("permute: 'order': expected each of 2 dimensions once, got [0, 0]",
                           [](const Tensor& x) {
                             permute(x, {0, 0});
                           }),
                   refused("permute: 'order': expected each of 2 dimensions once, got [0]",
                           [](const Tensor& x) { permute(x, {0}); }),
                   refused("permute: 'order': expected each of 2 dimensions once, got [0, 1, 0]",
                           [](const Tensor& x) {
                             permute(x, {0, 1, 0});
                           }),
                   refused("permute: 'dim': expected from -2 to 1, got 2", [](const Tensor& x) {
                     permute(x, {0, 2});
                   })}};
}

Declared declared_transpose() {
  const auto last_two = [](const Shape& x) {
    return moving(
        "transpose -1 -2", x, [](const Tensors& in) { return transpose(in[0], -1, -2); },
        gather({x[0], x[2], x[1]}, [](const Index& i) {
          return Index{i[0], i[2], i[1]};
        }));
  };
  return {.name = "transpose",
          .arguments = {"x"},
          .samples = {moving(
                          "transpose 0 2", {2, 3, 5},
                          [](const Tensors& in) { return transpose(in[0], 0, 2); },
                          gather({5, 3, 2},
                                 [](const Index& i) {
                                   return Index{i[2], i[1], i[0]};
                                 })),
                      last_two({2, 3, 4}), last_two({2, 0, 4})},
          .sized =
              [=](std::int64_t n) {
                return last_two({2, n / 20, 10});
              },
          .refusals = {refused("transpose: 'dim': expected from -2 to 1, got 2",
                               [](const Tensor& x) { transpose(x, 0, 2); }),
                       refused("transpose: 'dim': expected from -2 to 1, got -3",
                               [](const Tensor& x) { transpose(x, -3, 0); })}};
}

Declared declared_narrow() {
  const auto middle = [](std::int64_t rows) {
    return moving(
        "narrow 1 2 3", {rows, 6, 3}, [](const Tensors& in) { return narrow(in[0], 1, 2, 3); },
        gather({rows, 3, 3}, [](const Index& i) {
          return Index{i[0], i[1] + 2, i[2]};
        }));
  };
  const auto nothing = [](const Shape& x, int dim, std::int64_t start, const Shape& y) {
    return moving(
        "narrow to nothing", x, [=](const Tensors& in) { return narrow(in[0], dim, start, 0); },
        gather(y, nullptr));
  };
  const auto out_of_range = [](std::int64_t start, std::int64_t length) {
    return refusal<ShapeError>(
        str("narrow: 'start, length': expected a range within dimension 1 of [2, 3], got ", start,
            ", ", length),
        [=] {
          narrow(zeros({2, 3}), 1, start, length);
        });
  };
  return {
      .name = "narrow",
      .arguments = {"x"},
      .samples = {middle(7), middle(0), nothing({2, 6}, -1, 0, {2, 0}), nothing({6}, 0, 6, {0})},
      .sized = [=](std::int64_t n) { return middle(n / 18); },
      .refusals = {out_of_range(2, 2), out_of_range(-1, 2), out_of_range(1, -1), out_of_range(4, 0),
                   refused("narrow: 'dim': expected from -2 to 1, got 2",
                           [](const Tensor& x) { narrow(x, 2, 0, 1); })}};
}

Declared declared_select() {
  const auto third = [](std::int64_t rows) {
    return moving(
        "select 1 2", {rows, 6, 3}, [](const Tensors& in) { return select(in[0], 1, 2); },
        gather({rows, 3}, [](const Index& i) {
          return Index{i[0], 2, i[1]};
        }));
  };
  return {
      .name = "select",
      .arguments = {"x"},
      .samples = {third(7), third(0),
                  moving(
                      "select 0 -1", {5}, [](const Tensors& in) { return select(in[0], 0, -1); },
                      gather({}, [](const Index&) { return Index{4}; }))},
      .sized = [=](std::int64_t n) { return third(n / 18); },
      .refusals = {refused("select: 'index': expected an index into dimension 0 of [2, 3], got 2",
                           [](const Tensor& x) { select(x, 0, 2); }),
                   refused("select: 'index': expected an index into dimension 0 of [2, 3], got -3",
                           [](const Tensor& x) { select(x, 0, -3); }),
                   refused("select: 'dim': expected from -2 to 1, got -3",
                           [](const Tensor& x) { select(x, -3, 0); })}};
}

Declared declared_squeezing(bool put_in) {
  Declared d{.name = put_in ? "unsqueeze" : "squeeze", .arguments = {"x"}};
  const auto at = [=](const Shape& without, int dim) {
    Shape with = without;
    const int dims = static_cast<int>(without.size()) + 1;
    with.insert(with.begin() + (dim < 0 ? dim + dims : dim), 1);
    return moving(
        d.name, put_in ? without : with,
        [=](const Tensors& in) { return put_in ? unsqueeze(in[0], dim) : squeeze(in[0], dim); },
        same_elements(put_in ? with : without));
  };
  for (const int dim : {0, 1, 2, -1, -3}) d.samples.push_back(at({2, 5}, dim));
  d.samples.push_back(at({2, 0}, 1));
  d.samples.push_back(at({}, 0));
  d.sized = [=](std::int64_t n) { return at({n / 10, 10}, 1); };
  if (put_in) {
    d.refusals = {refused("unsqueeze: 'dim': expected from -3 to 2, got 3",
                          [](const Tensor& x) { unsqueeze(x, 3); }),
                  refused("unsqueeze: 'dim': expected from -3 to 2, got -4",
                          [](const Tensor& x) { unsqueeze(x, -4); })};
  } else {
    d.refusals = {refused("squeeze: 'dim': expected a dimension of size 1, got 1 of [2, 3]",
                          [](const Tensor& x) { squeeze(x, 1); }),
                  refused("squeeze: 'dim': expected from -2 to 1, got 2",
                          [](const Tensor& x) { squeeze(x, 2); })};
  }
  return d;
}

}  // namespace

std::vector<Declared> declared_views() {
  return {declared_reshape(), declared_permute(),       declared_transpose(),     declared_narrow(),
          declared_select(),  declared_squeezing(true), declared_squeezing(false)};
}

}  // namespace crocuta::test
