#include "tests/cases/moving.h"

namespace crocuta::test {
namespace {

Declared declared_expand() {
  const auto columns = [](std::int64_t rows) {
    return moving(
        "expand", {rows, 1},
        [=](const Tensors& in) {
          return expand(in[0], {2, rows, 4});
        },
        gather({2, rows, 4}, [](const Index& i) {
          return Index{i[1], 0};
        }));
  };
  return {
      .name = "expand",
      .arguments = {"x"},
      .samples = {columns(7), columns(0),
                  moving(
                      "expand", {}, [](const Tensors& in) { return expand(in[0], {5}); },
                      gather({5}, [](const Index&) { return Index{}; })),
                  moving(
                      "expand to nothing", {1, 3},
                      [](const Tensors& in) {
                        return expand(in[0], {0, 3});
                      },
                      gather({0, 3}, nullptr))},
      .sized = [=](std::int64_t n) { return columns(n / 8); },
      .refusals = {refused("expand: 'shape': expected one that [2, 3] broadcasts to, got [2, 4]",
                           [](const Tensor& x) {
                             expand(x, {2, 4});
                           }),
                   refused("expand: 'shape': expected one that [2, 3] broadcasts to, got [3]",
                           [](const Tensor& x) { expand(x, {3}); }),
                   refused("expand: 'shape': expected one that [2, 3] broadcasts to, got [-1, 3]",
                           [](const Tensor& x) {
                             expand(x, {-1, 3});
                           })}};
}

Declared declared_repeat_interleave() {
  const auto rows = [](std::int64_t n, std::int64_t repeats) {
    return moving(
        str("repeat_interleave ", repeats, ", 0"), {n, 5},
        [=](const Tensors& in) { return repeat_interleave(in[0], repeats, 0); },
        gather({n * repeats, 5}, [=](const Index& i) {
          return Index{i[0] / repeats, i[1]};
        }));
  };
  return {.name = "repeat_interleave",
          .arguments = {"x"},
          .samples = {rows(3, 3), rows(3, 1), rows(0, 2), rows(3, 0),
                      moving(
                          "repeat_interleave 2, -1", {2, 5},
                          [](const Tensors& in) { return repeat_interleave(in[0], 2, -1); },
                          gather({2, 10},
                                 [](const Index& i) {
                                   return Index{i[0], i[1] / 2};
                                 }))},
          .sized = [=](std::int64_t n) { return rows(n / 10, 2); },
          .refusals = {
              refused<ArgumentError>("repeat_interleave: 'repeats': expected at least 0, got -1",
                                     [](const Tensor& x) { repeat_interleave(x, -1, 0); }),
              refused("repeat_interleave: 'dim': expected from -2 to 1, got 2",
                      [](const Tensor& x) { repeat_interleave(x, 2, 2); })}};
}

Declared declared_cat() {
  // Three tensors of `rows` rows or columns together, the others being 3.
  const auto along = [](int dim, const std::vector<std::int64_t>& sizes) {
    std::vector<Tensor> inputs;
    for (const std::int64_t size : sizes) {
      inputs.push_back(sample(dim == 0 ? Shape{size, 3} : Shape{3, size}, -1, 1, inputs.size()));
    }
    OpCheck check = moving(
        str("cat along ", dim), {}, [=](const Tensors& in) { return cat(in, dim); },
        [=](const Tensors& in) {
          std::vector<double> y;
          std::int64_t total = 0;
          for (const Tensor& x : in) total += x.size(dim);
          const std::int64_t outer = dim == 0 ? 1 : 3, inner = dim == 0 ? 3 : 1;
          for (std::int64_t o = 0; o < outer; ++o) {
            for (const Tensor& x : in) {
              const auto values = x.to_vector<double>();
              const std::int64_t run = x.size(dim) * inner;
              for (std::int64_t i = 0; i < run; ++i) y.push_back(values[index(o * run + i)]);
            }
          }
          return from_vector(y, dim == 0 ? Shape{total, 3} : Shape{3, total});
        });
    check.inputs = inputs;
    return check;
  };
  return {
      .name = "cat",
      .arguments = {"xs", "xs", "xs"},
      .samples = {along(0, {2, 5, 1}), along(1, {2, 4, 1}), along(-1, {3, 7, 2}),
                  along(0, {0, 2, 0}), along(0, {0, 0, 0}), along(1, {4})},
      .sized =
          [=](std::int64_t n) {
            return along(1, {n / 6, n / 6, 1});
          },
      .refusals = {refused("cat: 'xs': expected sizes of [2, 3] in all but dimension 0, got [2, 4]",
                           [](const Tensor& x) {
                             cat({x, zeros({2, 4})}, 0);
                           }),
                   refused("cat: 'xs': expected sizes of [2, 3] in all but dimension 0, got [2]",
                           [](const Tensor& x) {
                             cat({x, zeros({2})}, 0);
                           }),
                   refused("cat: 'dim': expected from -2 to 1, got 2",
                           [](const Tensor& x) {
                             cat({x, x}, 2);
                           }),
                   refused<ArgumentError>("cat: 'xs': expected at least one tensor, got none",
                                          [](const Tensor&) { cat({}, 0); })}};
}

// Members of Tensor that gradients flow through.
Declared declared_contiguous() {
  const auto transposed = [](std::int64_t rows) {
    return moving(
        "contiguous", {rows, 10},
        [](const Tensors& in) { return transpose(in[0], 0, 1).contiguous(); },
        gather({10, rows}, [](const Index& i) {
          return Index{i[1], i[0]};
        }));
  };
  return {.name = "contiguous",
          .arguments = {"x"},
          .samples = {transposed(37), transposed(0),
                      moving(
                          "contiguous", {5}, [](const Tensors& in) { return in[0].contiguous(); },
                          same_elements({5}))},
          .sized = [=](std::int64_t n) { return transposed(n / 10); }};
}

Declared declared_to() {
  const auto there_and_back = [](const Shape& shape) {
    return moving(
        "to", shape,
        [](const Tensors& in) {
          return in[0].to(Device::cpu()).to(in[0].device()).to(DType::float64);
        },
        same_elements(shape));
  };
  return {.name = "to",
          .arguments = {"x"},
          .samples = {there_and_back({3, 7}), there_and_back({}), there_and_back({0, 3})},
          .sized = [=](std::int64_t n) { return there_and_back({n}); }};
}

}  // namespace

std::vector<Declared> declared_copies() {
  return {declared_expand(), declared_cat(), declared_repeat_interleave(), declared_contiguous(),
          declared_to()};
}

}  // namespace crocuta::test
