#include "framework/ops.h"
#include "tests/check_op.h"
#include "tests/support/catch.h"

using namespace crocuta;
using namespace crocuta::test;

namespace {

using Index = std::vector<std::int64_t>;

// y of the given shape with y[index] = x[from(index)], element by element.
Fn gather(const Shape& shape, std::function<Index(const Index&)> from) {
  return [=](const std::vector<Tensor>& in) {
    const auto x = in[0].to_vector<double>();
    std::vector<double> y;
    Index index(shape.size(), 0);
    for (std::int64_t n = element_count(shape); n > 0; --n) {
      std::int64_t flat = 0;
      const Index source = from(index);
      for (std::size_t d = 0; d < source.size(); ++d) {
        flat = flat * in[0].shape()[d] + source[d];
      }
      y.push_back(x[static_cast<std::size_t>(flat)]);
      for (std::size_t d = shape.size(); d-- > 0 && ++index[d] == shape[d];) index[d] = 0;
    }
    return from_vector(y, shape);
  };
}

void check(const std::string& name, const Shape& x, const Fn& op, const Fn& oracle) {
  // Nothing is computed on the way there; on the way back some elements are sums.
  check_op({.name = name + to_string(x),
            .fn = op,
            .oracle = oracle,
            .inputs = {sample(x)},
            .rounding = 1,
            .gradient_scale = 4});
}

}  // namespace

TEST_CASE("reshape keeps the row-major order") {
  const auto check_reshape = [](const Shape& x, const Shape& wanted, const Shape& shape) {
    check(
        "reshape", x, [=](const std::vector<Tensor>& in) { return reshape(in[0], wanted); },
        [=](const std::vector<Tensor>& in) {
          return from_vector(in[0].to_vector<double>(), shape);
        });
  };
  check_reshape({2, 3, 4}, {6, 4}, {6, 4});
  check_reshape({2, 3, 4}, {-1}, {24});
  check_reshape({6, 4}, {2, -1, 2}, {2, 6, 2});
  check_reshape({1}, {}, {});
  check_reshape({}, {1, 1}, {1, 1});
  check_reshape({0, 3}, {3, 0}, {3, 0});
  check_reshape({7}, {7, 1}, {7, 1});
}

TEST_CASE("transpose and permute rearrange dimensions") {
  check(
      "transpose 0 2", {2, 3, 4},
      [](const std::vector<Tensor>& in) { return transpose(in[0], 0, 2); },
      gather({4, 3, 2}, [](const Index& i) {
        return Index{i[2], i[1], i[0]};
      }));
  check(
      "transpose -1 -2", {2, 3, 4},
      [](const std::vector<Tensor>& in) { return transpose(in[0], -1, -2); },
      gather({2, 4, 3}, [](const Index& i) {
        return Index{i[0], i[2], i[1]};
      }));
  check(
      "permute 2 0 1", {2, 3, 4},
      [](const std::vector<Tensor>& in) {
        return permute(in[0], {2, 0, 1});
      },
      gather({4, 2, 3}, [](const Index& i) {
        return Index{i[1], i[2], i[0]};
      }));
  check(
      "permute 1 -4 3 2", {2, 3, 1, 5},
      [](const std::vector<Tensor>& in) {
        return permute(in[0], {1, -4, 3, 2});
      },
      gather({3, 2, 5, 1}, [](const Index& i) {
        return Index{i[1], i[0], i[3], i[2]};
      }));
  check(
      "transpose, large", {37, 67},
      [](const std::vector<Tensor>& in) { return transpose(in[0], 0, 1).contiguous(); },
      gather({67, 37}, [](const Index& i) {
        return Index{i[1], i[0]};
      }));
}

TEST_CASE("narrow and select take a part") {
  check(
      "narrow 1 2 3", {2, 6, 3},
      [](const std::vector<Tensor>& in) { return narrow(in[0], 1, 2, 3); },
      gather({2, 3, 3}, [](const Index& i) {
        return Index{i[0], i[1] + 2, i[2]};
      }));
  check(
      "narrow -1 0 0", {2, 6},
      [](const std::vector<Tensor>& in) { return narrow(in[0], -1, 0, 0); },
      gather({2, 0}, [](const Index& i) { return i; }));
  check(
      "narrow 0 6 0", {6}, [](const std::vector<Tensor>& in) { return narrow(in[0], 0, 6, 0); },
      gather({0}, [](const Index& i) { return i; }));
  check(
      "select 1 2", {2, 6, 3}, [](const std::vector<Tensor>& in) { return select(in[0], 1, 2); },
      gather({2, 3}, [](const Index& i) {
        return Index{i[0], 2, i[1]};
      }));
  check(
      "select 0 -1", {5}, [](const std::vector<Tensor>& in) { return select(in[0], 0, -1); },
      gather({}, [](const Index&) { return Index{4}; }));
}

TEST_CASE("unsqueeze and squeeze put dimensions of one in and take them out") {
  for (const int dim : {0, 1, 2, -1, -3}) {
    const std::size_t at = static_cast<std::size_t>(dim < 0 ? dim + 3 : dim);
    Shape shape = {2, 3};
    shape.insert(shape.begin() + static_cast<std::ptrdiff_t>(at), 1);
    const auto same_elements = [](const Shape& to) {
      return [to](const std::vector<Tensor>& in) {
        return from_vector(in[0].to_vector<double>(), to);
      };
    };
    check(
        "unsqueeze", {2, 3}, [=](const std::vector<Tensor>& in) { return unsqueeze(in[0], dim); },
        same_elements(shape));
    check(
        "squeeze", shape, [=](const std::vector<Tensor>& in) { return squeeze(in[0], dim); },
        same_elements({2, 3}));
  }
}

TEST_CASE("expand and repeat_interleave repeat elements") {
  check(
      "expand", {3, 1},
      [](const std::vector<Tensor>& in) {
        return expand(in[0], {2, 3, 4});
      },
      gather({2, 3, 4}, [](const Index& i) {
        return Index{i[1], 0};
      }));
  check(
      "expand", {}, [](const std::vector<Tensor>& in) { return expand(in[0], {5}); },
      gather({5}, [](const Index&) { return Index{}; }));
  check(
      "expand to nothing", {1, 3},
      [](const std::vector<Tensor>& in) {
        return expand(in[0], {0, 3});
      },
      gather({0, 3}, [](const Index& i) { return i; }));
  check(
      "repeat_interleave 3, 0", {2, 4},
      [](const std::vector<Tensor>& in) { return repeat_interleave(in[0], 3, 0); },
      gather({6, 4}, [](const Index& i) {
        return Index{i[0] / 3, i[1]};
      }));
  check(
      "repeat_interleave 2, -1", {2, 5},
      [](const std::vector<Tensor>& in) { return repeat_interleave(in[0], 2, -1); },
      gather({2, 10}, [](const Index& i) {
        return Index{i[0], i[1] / 2};
      }));
  check(
      "repeat_interleave 1, 0", {3},
      [](const std::vector<Tensor>& in) { return repeat_interleave(in[0], 1, 0); },
      gather({3}, [](const Index& i) { return i; }));
  CHECK(repeat_interleave(zeros({3}), 0, 0).shape() == Shape{0});
}

TEST_CASE("cat joins tensors along any dimension, some of them empty") {
  for (const int dim : {0, 1, -1}) {
    const std::size_t d = dim < 0 ? 1 : static_cast<std::size_t>(dim);
    const auto shape = [&](std::int64_t n) {
      Shape s = {3, 3};
      s[d] = n;
      return s;
    };
    check_op({.name = str("cat along ", dim),
              .fn = [=](const std::vector<Tensor>& in) { return cat(in, dim); },
              .oracle =
                  [=](const std::vector<Tensor>& in) {
                    const Tensor y = zeros(shape(7), {DType::float64, Device::cpu()});
                    std::int64_t start = 0;
                    for (const Tensor& x : in) {
                      for (std::int64_t i = 0; i < x.size(dim); ++i, ++start) {
                        for (std::int64_t j = 0; j < 3; ++j) {
                          const auto at = [&](const Tensor& t, std::int64_t k) {
                            return t.data<double>() + (d == 0 ? k * 3 + j : j * t.size(1) + k);
                          };
                          *at(y, start) = *at(x.to(Device::cpu()).contiguous(), i);
                        }
                      }
                    }
                    return y;
                  },
              .inputs = {sample(shape(2), -1, 1, 1), sample(shape(4), -1, 1, 2),
                         sample(shape(1), -1, 1, 3)},
              .rounding = 1});
  }
  CHECK(cat({zeros({0, 2}), ones({1, 2}), zeros({0, 2})}, 0).to_vector() ==
        std::vector<float>{1, 1});
  const Tensor x = tensor({1, 2});
  x.set_requires_grad();
  sum(cat({x, x * 3}, 0)).backward();
  CHECK(x.grad().to_vector() == std::vector<float>{4, 4});
}

TEST_CASE("views of views lead gradients back to the elements they show") {
  gradcheck(
      [](const std::vector<Tensor>& in) {
        const Tensor t = transpose(narrow(reshape(in[0], {4, 6}), 1, 1, 4), 0, 1);
        return t * select(expand(unsqueeze(t, 0), {3, 4, 4}), 0, 2);
      },
      {sample({2, 12})});
}

TEST_CASE("shapes and dimensions that do not fit are named") {
  const Tensor x = zeros({2, 3});
  CHECK(message_of<ShapeError>([&] {
          reshape(x, {4, -1});
        }) == "reshape: 'shape': expected a shape of 6 elements, as x [2, 3], got [4, -1]");
  CHECK(message_of<ShapeError>([&] {
          reshape(x, {-1, -1});
        }) == "reshape: 'shape': expected a shape of 6 elements, as x [2, 3], got [-1, -1]");
  CHECK(message_of<ShapeError>([&] { reshape(x, {5}); }) ==
        "reshape: 'shape': expected a shape of 6 elements, as x [2, 3], got [5]");
  CHECK(message_of<ShapeError>([&] {
          reshape(zeros({0}), {0, -1});
        }) == "reshape: 'shape': expected a shape of 0 elements, as x [0], got [0, -1]");
  CHECK(message_of<ShapeError>([&] {
          permute(x, {0, 0});
        }) == "permute: 'order': expected each of 2 dimensions once, got [0, 0]");
  CHECK(message_of<ShapeError>([&] { permute(x, {0}); }) ==
        "permute: 'order': expected each of 2 dimensions once, got [0]");
  CHECK(message_of<ShapeError>([&] { transpose(x, 0, 2); }) ==
        "transpose: 'dim': expected from -2 to 1, got 2");
  CHECK(message_of<ShapeError>([&] { narrow(x, 1, 2, 2); }) ==
        "narrow: 'start, length': expected a range within dimension 1 of [2, 3], got 2, 2");
  CHECK(message_of<ShapeError>([&] { narrow(x, 1, -1, 2); }) ==
        "narrow: 'start, length': expected a range within dimension 1 of [2, 3], got -1, 2");
  CHECK(message_of<ShapeError>([&] { select(x, 0, 2); }) ==
        "select: 'index': expected an index into dimension 0 of [2, 3], got 2");
  CHECK(message_of<ShapeError>([&] { squeeze(x, 1); }) ==
        "squeeze: 'dim': expected a dimension of size 1, got 1 of [2, 3]");
  CHECK(message_of<ShapeError>([&] { unsqueeze(x, 3); }) ==
        "unsqueeze: 'dim': expected from -3 to 2, got 3");
  CHECK(message_of<ShapeError>([&] {
          expand(x, {2, 4});
        }) == "expand: 'shape': expected one that [2, 3] broadcasts to, got [2, 4]");
  CHECK(message_of<ShapeError>([&] { expand(x, {3}); }) ==
        "expand: 'shape': expected one that [2, 3] broadcasts to, got [3]");
  CHECK(message_of<ShapeError>([&] {
          cat({x, zeros({2, 4})}, 0);
        }) == "cat: 'xs': expected sizes of [2, 3] in all but dimension 0, got [2, 4]");
  CHECK(message_of<ShapeError>([&] {
          cat({x, zeros({2})}, 0);
        }) == "cat: 'xs': expected sizes of [2, 3] in all but dimension 0, got [2]");
  CHECK(message_of<ArgumentError>([&] { cat({}, 0); }) ==
        "cat: 'xs': expected at least one tensor, got none");
  CHECK(message_of<DTypeError>([&] {
          cat({x, zeros({2, 3}, {.dtype = DType::float64})}, 0);
        }) == "cat: 'xs': expected float32, got float64");
  CHECK(message_of<ArgumentError>([&] { repeat_interleave(x, -1, 0); }) ==
        "repeat_interleave: 'repeats': expected at least 0, got -1");
}
