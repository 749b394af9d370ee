#include "framework/tensor/autograd.h"

#include <algorithm>
#include <cmath>

#include "framework/device/allocator.h"
#include "framework/ops/ops.h"
#include "tests/support/catch.h"
#include "tests/support/check_op.h"
#include "tests/support/slow.h"

using namespace crocuta;
using test::message_of;

TEST_CASE("gradients flow through arithmetic and are summed over uses") {
  const Tensor x = tensor({1, 2, 4}).set_requires_grad();
  const Tensor y = tensor({4, 5, 8}).set_requires_grad();
  sum(x * y + x * x - y / x).backward();
  // d/dx = y + 2x + y/x^2, d/dy = x - 1/x
  CHECK(x.grad().to_vector() == std::vector<float>{4 + 2 + 4, 5 + 4 + 1.25f, 8 + 8 + 0.5f});
  CHECK(y.grad().to_vector() == std::vector<float>{0, 1.5f, 3.75f});
}

TEST_CASE("gradients that lie in memory in different orders are added element by element") {
  // What is used first gives its gradient last; that of a transpose is a strided view.
  const Tensor a = tensor({1, 2, 3, 4, 5, 6}), b = a * 10, c = a * 100;
  const auto as = [](const Tensor& x, Shape shape) { return reshape(x, std::move(shape)); };
  std::vector<int> order = {0, 1, 2};
  do {
    const Tensor x = zeros({2, 3}).set_requires_grad();
    Tensor total = zeros({});
    for (const int use : order) {
      if (use == 0) total = total + sum(x * as(a, {2, 3}));
      if (use == 1) total = total + sum(x * as(b, {2, 3}));
      if (use == 2) total = total + sum(transpose(x, 0, 1) * as(c, {3, 2}));
    }
    total.backward();
    std::vector<float> expected(6);
    for (std::size_t i = 0; i < 6; ++i) {
      const std::size_t row = i / 3, column = i % 3;
      expected[i] = static_cast<float>(11 * (i + 1) + 100 * (column * 2 + row + 1));
    }
    CHECK(x.grad().to_vector() == expected);
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST_CASE("a second backward adds to the gradient") {
  const Tensor x = tensor({2}).set_requires_grad();
  sum(x * x).backward();
  sum(x * x).backward();
  CHECK(x.grad().item() == 8);
}

TEST_CASE("the gradient of a broadcast operand is summed to its shape") {
  const Tensor x = ones({2, 3, 4}).set_requires_grad();
  const Tensor row = ones({4}).set_requires_grad();
  const Tensor column = ones({3, 1}).set_requires_grad();
  sum(x * row * column).backward();
  CHECK(row.grad().to_vector() == std::vector<float>(4, 6));
  CHECK(column.grad().shape() == Shape{3, 1});
  CHECK(column.grad().to_vector() == std::vector<float>(3, 8));
}

TEST_CASE("leaves that receive one gradient tensor own separate copies of it") {
  const Tensor a = ones({3}).set_requires_grad(), b = ones({3}).set_requires_grad();
  const Tensor dy = tensor({1, 2, 3});
  (a + b).backward(dy);
  a.grad().fill_(7);
  CHECK(b.grad().to_vector() == std::vector<float>{1, 2, 3});
  CHECK(dy.to_vector() == std::vector<float>{1, 2, 3});
}

TEST_CASE("a chain of 200,000 ops neither overflows the stack nor leaks") {
  const int length = test::slow_device() ? 20'000 : 200'000;
  const std::size_t before = memory_stats(default_device()).live_bytes;
  {
    const Tensor x = ones({1}, {.dtype = DType::float64}).set_requires_grad();
    Tensor y = x;
    for (int i = 0; i < length / 2; ++i) y = y + x * 1e-6;
    y.backward();
    CHECK(std::abs(x.grad().item() - (1 + length * 5e-7)) < 1e-9);
  }
  {  // dropped without being walked
    const Tensor x = ones({1}).set_requires_grad();
    Tensor y = x;
    for (int i = 0; i < length; ++i) y = y * x;
  }
  CHECK(memory_stats(default_device()).live_bytes == before);
}

TEST_CASE("the walk releases what ops kept as it passes them") {
  const Tensor x = ones({1 << 16}).set_requires_grad();
  const Tensor y = sum(x * x * x * x * x);
  const std::size_t kept = memory_stats(default_device()).live_bytes;
  y.backward();
  CHECK(memory_stats(default_device()).live_bytes < kept);
}

TEST_CASE("walking a graph twice is an error that says what to do") {
  const Tensor x = ones({2}).set_requires_grad();
  const Tensor y = sum(x * x);
  y.backward();
  CHECK(message_of<Error>([&] { y.backward(); }) ==
        "sum: backward: this graph was walked before and its memory released; run the forward pass "
        "again");
  CHECK(x.grad().to_vector() == std::vector<float>{2, 2});
}

TEST_CASE("changing a saved tensor in place is an error that names it") {
  const Tensor x = ones({2}).set_requires_grad();
  const Tensor scale = tensor({1, 2});
  const Tensor y = sum(x * scale);
  scale.fill_(3);
  CHECK(message_of<Error>([&] { y.backward(); }) ==
        "mul: saved tensor 'b' [2] was changed in place between the forward pass and backward");
  CHECK_FALSE(x.grad().defined());
}

TEST_CASE("changing a tensor in the graph in place is an error, unless gradients are off") {
  const Tensor x = ones({2}).set_requires_grad();
  CHECK_THROWS_AS(x.fill_(0), ArgumentError);
  CHECK_THROWS_WITH(x.copy_(ones({2})), ContainsSubstring("under NoGrad"));
  const NoGrad guard;
  x.fill_(5);
  CHECK(x.to_vector() == std::vector<float>{5, 5});
}

TEST_CASE("nothing is recorded under NoGrad") {
  const Tensor x = ones({2}).set_requires_grad();
  {
    const NoGrad guard;
    { const NoGrad nested; }
    CHECK_FALSE((x * x).requires_grad());
  }
  CHECK((x * x).requires_grad());
}

TEST_CASE("backward says what it cannot start from") {
  const Tensor x = ones({2}).set_requires_grad();
  const auto with = [&](const Tensor& dy) { return [&, dy] { (x * x).backward(dy); }; };
  CHECK(message_of<ShapeError>([&] { (x * x).backward(); }) ==
        "backward: 'this': expected one element, or a dy given to backward(dy), got [2]");
  CHECK(message_of<ShapeError>(with(ones({3}))) == "backward: 'dy': expected [2], got [3]");
  CHECK(message_of<DTypeError>(with(ones({2}, {.dtype = DType::float64}))) ==
        "backward: 'dy': expected float32, got float64");
  CHECK_THAT(message_of<ArgumentError>(with(Tensor())), ContainsSubstring("an undefined one"));
  CHECK(message_of<ArgumentError>([] { sum(ones({2})).backward(); }) ==
        "backward: 'this': expected a tensor that depends on one requiring a gradient, got one "
        "that does not");
  CHECK(message_of<DTypeError>([] { arange(3).set_requires_grad(); }) ==
        "set_requires_grad: 'this': expected a floating dtype, got int64");
  CHECK(message_of<ArgumentError>([&] { (x * x).set_requires_grad(); }) ==
        "set_requires_grad: 'this': expected a leaf, got the result of an op");
  CHECK_FALSE(x.grad().defined());
}

TEST_CASE("an op whose gradient has the wrong shape or count is found out") {
  const Tensor x = ones({2}).set_requires_grad();
  const Tensor wrong_shape =
      record("wrong_shape", ones({2}), {x}, [](const Tensor&) -> Grads { return {ones({3})}; });
  CHECK_THROWS_WITH(wrong_shape.backward(ones({2})),
                    "wrong_shape: the gradient of input 0 should be float32 [2], is float32 [3]");
  const Tensor wrong_count =
      record("wrong_count", ones({2}), {x}, [](const Tensor&) -> Grads { return {}; });
  CHECK_THROWS_WITH(wrong_count.backward(ones({2})), ContainsSubstring("0 gradients for 1 inputs"));
}

TEST_CASE("an op that asks for its output gets it, and does not keep it alive in a cycle") {
  const std::size_t before = memory_stats(default_device()).live_bytes;
  {
    const Tensor x = tensor({3}).set_requires_grad();
    const auto square = [&](double factor) {
      return record("square", x.detach() * x.detach(), {x},
                    [x = saved("x", x), factor](const Tensor& dy, const Tensor& y) -> Grads {
                      return {dy * y / x * factor};
                    });
    };
    square(2).backward();
    CHECK(x.grad().item() == 6);
    square(2);  // dropped unwalked
  }
  CHECK(memory_stats(default_device()).live_bytes == before);
}

TEST_CASE("a diamond is walked once per op, in the reverse order of recording") {
  std::vector<int> order;
  const auto traced = [&](int id, const Tensor& a, const Tensor& b) {
    return record("traced", a.detach() + b.detach(), {a, b},
                  [&order, id](const Tensor& dy) -> Grads {
                    order.push_back(id);
                    return {dy, dy};
                  });
  };
  const Tensor x = ones({1}).set_requires_grad();
  const Tensor a = traced(1, x, x), b = traced(2, a, x), c = traced(3, a, b);
  traced(4, c, a).backward();
  CHECK(order == std::vector<int>{4, 3, 2, 1});
  CHECK(x.grad().item() == 7);
}

TEST_CASE("gradients flow through every shape op") {
  const TensorOptions options{.dtype = DType::float64};
  const Tensor weights = arange(24, options);
  const auto gradient = [&](auto&& op) {
    const Tensor x = ones({2, 3}, options).set_requires_grad();
    const Tensor y = op(x);
    y.backward(reshape(narrow(weights, 0, 0, y.numel()), y.shape()));
    return x.grad().template to_vector<double>();
  };
  using Values = std::vector<double>;
  CHECK(gradient([](const Tensor& x) { return reshape(x, {6}); }) == Values{0, 1, 2, 3, 4, 5});
  CHECK(gradient([](const Tensor& x) { return transpose(x, 0, 1); }) == Values{0, 2, 4, 1, 3, 5});
  CHECK(gradient([](const Tensor& x) { return narrow(x, 1, 1, 2); }) == Values{0, 0, 1, 0, 2, 3});
  CHECK(gradient([](const Tensor& x) { return select(x, 1, 2); }) == Values{0, 0, 0, 0, 0, 1});
  CHECK(gradient([](const Tensor& x) {
          return expand(x, {2, 2, 3});
        }) == Values{6, 8, 10, 12, 14, 16});
  CHECK(gradient([](const Tensor& x) { return cat({x, x}, 1); }) == Values{3, 5, 7, 15, 17, 19});
  CHECK(gradient([](const Tensor& x) { return repeat_interleave(x, 2, 1); }) ==
        Values{1, 5, 9, 13, 17, 21});
  CHECK(gradient([](const Tensor& x) { return sum(x, {0}); }) == Values{0, 1, 2, 0, 1, 2});
  CHECK(gradient([](const Tensor& x) { return mean(x, {1}, true) * 3; }) ==
        Values{0, 0, 0, 1, 1, 1});
  CHECK(gradient([](const Tensor& x) { return transpose(x, 0, 1).contiguous(); }) ==
        Values{0, 2, 4, 1, 3, 5});
  CHECK(gradient([](const Tensor& x) { return x.to(DType::float32).to(DType::float64); }) ==
        Values{0, 1, 2, 3, 4, 5});
}
