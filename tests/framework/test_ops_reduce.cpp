#include <algorithm>
#include <cmath>
#include <limits>

#include "framework/ops.h"
#include "tests/check_op.h"
#include "tests/support/catch.h"

using namespace crocuta;
using namespace crocuta::test;

namespace {

// fold over the listed dimensions of x, which become 1 or disappear.
Fn fold(std::vector<int> dims, bool keepdim, double start, double (*step)(double, double)) {
  return [=](const std::vector<Tensor>& in) {
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
    std::vector<double> y(static_cast<std::size_t>(element_count(shape)), start);
    for (std::size_t i = 0; i < x.size(); ++i) {
      auto rest = static_cast<std::int64_t>(i);
      std::int64_t index = 0, stride = 1;
      for (std::size_t d = from.size(); d-- > 0;) {
        if (!reduced(d)) {
          index += rest % from[d] * stride;
          stride *= from[d];
        }
        rest /= from[d];
      }
      double& total = y[static_cast<std::size_t>(index)];
      total = step(total, x[i]);
    }
    return from_vector(y, shape);
  };
}
double plus(double a, double b) {
  return a + b;
}
double larger(double a, double b) {
  return std::max(a, b);
}

std::string name_of(const char* op, const Shape& shape, const std::vector<int>& dims) {
  return str(op, to_string(shape), " over ", to_string(Shape(dims.begin(), dims.end())));
}

void check_sum(const Shape& shape, const std::vector<int>& dims, bool keepdim = false,
               std::vector<DType> dtypes = OpCheck{}.dtypes) {
  const double n = static_cast<double>(element_count(shape)) + 1;
  check_op({.name = name_of("sum", shape, dims),
            .fn = [=](const std::vector<Tensor>& x) { return sum(x[0], dims, keepdim); },
            .oracle = fold(dims, keepdim, 0, plus),
            .inputs = {sample(shape)},
            .dtypes = dtypes,
            // Short float sums and double totals: rounding errors add up like a random walk.
            .rounding = 8,
            .scale = std::sqrt(n),
            .gradient = {.elements = 8}});
}

}  // namespace

TEST_CASE("sum over each dimension, several, all and none") {
  const Shape shape = {3, 4, 5, 6};
  for (const std::vector<int>& dims : std::vector<std::vector<int>>{{},
                                                                    {0},
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
    check_sum(shape, dims, false);
    check_sum(shape, dims, true);
  }
  CHECK(sum(ones({2, 3}), {-1}).to_vector() == std::vector<float>{3, 3});
}

TEST_CASE("sum over awkward lengths") {
  for (const std::int64_t n : {1, 2, 7, 8, 9, 15, 16, 17, 31, 33, 127, 257}) {
    check_sum({n}, {0});
    check_sum({3, n}, {1});
    check_sum({n, 3}, {0});
    check_sum({2, n, 3}, {1});
  }
}

TEST_CASE("sum over more than one slice, along and across memory") {
  check_sum({70001}, {0}, false, {DType::float32, DType::bfloat16});
  check_sum({257, 300}, {0}, false, {DType::float32});
  check_sum({30011, 3}, {0}, false, {DType::float32});
  check_sum({2, 17000, 3}, {1}, false, {DType::float32});
}

TEST_CASE("sum of nothing is zero") {
  check_sum({0}, {0});
  check_sum({3, 0}, {1});
  check_sum({0, 3}, {1});
  CHECK(sum(zeros({0})).item() == 0);
}

TEST_CASE("a sum of ten million equal floats is as good as one of 512") {
  // All roundings go one way: 31 additions in a lane and 4 of lanes, none of the 20,000 of blocks.
  const std::int64_t n = 10000000;
  const double exact = static_cast<double>(n) * 0.1f;
  CHECK(std::fabs(sum(full({n}, 0.1)).item() / exact - 1) < 36 * 0x1p-24);
  CHECK(sum(ones({n}, {.dtype = DType::int64})).item() == static_cast<double>(n));
}

TEST_CASE("mean over dimensions") {
  for (const std::vector<int>& dims : std::vector<std::vector<int>>{{0}, {1}, {0, 1}}) {
    check_op({.name = name_of("mean", {4, 8}, dims),
              .fn = [=](const std::vector<Tensor>& x) { return mean(x[0], dims, true); },
              .oracle =
                  [=](const std::vector<Tensor>& x) {
                    const Tensor total = fold(dims, true, 0, plus)(x);
                    const auto n = static_cast<double>(total.numel()) / 32;
                    return total * n;
                  },
              .inputs = {sample({4, 8})},
              .scale = 4});
  }
  CHECK(mean(tensor({1, 2, 3, 6})).item() == 3);
  CHECK(mean(full({100}, 60000, {.dtype = DType::float16})).item() ==
        60000);  // the sum is infinite
}

TEST_CASE("sum_to undoes a broadcast") {
  const auto check_sum_to = [](const Shape& from, const Shape& to, const std::vector<int>& dims) {
    check_op({.name = str("sum_to", to_string(from), to_string(to)),
              .fn = [=](const std::vector<Tensor>& x) { return sum_to(x[0], to); },
              .oracle =
                  [=](const std::vector<Tensor>& x) {
                    return reshape(fold(dims, true, 0, plus)(x), to);
                  },
              .inputs = {sample(from)},
              .scale = 8});
  };
  check_sum_to({2, 3, 4}, {4}, {0, 1});
  check_sum_to({2, 3, 4}, {2, 1, 4}, {1});
  check_sum_to({2, 3, 4}, {3, 1}, {0, 2});
  check_sum_to({2, 3, 4}, {}, {0, 1, 2});
  check_sum_to({2, 3}, {2, 3}, {});
}

TEST_CASE("max along each dimension, its gradient going to the largest") {
  for (int dim = 0; dim < 3; ++dim) {
    for (const Shape& shape : {Shape{3, 4, 5}, Shape{1, 17, 2}, Shape{2, 1, 33}, Shape{0, 3, 4}}) {
      if (shape[static_cast<std::size_t>(dim)] == 0) continue;
      check_op({.name = name_of("max", shape, {dim}),
                .fn = [=](const std::vector<Tensor>& x) { return max(x[0], dim); },
                .oracle = fold({dim}, false, -HUGE_VAL, larger),
                .inputs = {sample(shape)},
                // Rounding to 16 bits makes ties, whose gradient goes to the first.
                .dtypes = {DType::float32, DType::float64}});
    }
  }
  CHECK(max(sample({2, 70001}), 1).to_vector<double>() ==
        fold({1}, false, -HUGE_VAL, larger)({sample({2, 70001})}).to_vector<double>());
}

TEST_CASE("argmax names the first of equals, and NaN before any number") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinity = std::numeric_limits<double>::infinity();
  const Tensor x = from_vector<double>(
      {1, 3, 3, -1, 5, nan, infinity, nan, -infinity, -infinity, -infinity, -infinity}, {3, 4});
  for (const DType dtype : {DType::float32, DType::float64, DType::bfloat16, DType::float16}) {
    CHECK(argmax(x.to(dtype), 1).to_vector<std::int64_t>() == std::vector<std::int64_t>{1, 1, 0});
    CHECK(argmax(x.to(dtype), -2).to_vector<std::int64_t>() ==
          std::vector<std::int64_t>{1, 1, 1, 1});
    CHECK(std::isnan(max(x.to(dtype), 1).to_vector<double>()[1]));
  }
}

TEST_CASE("squared_norm adds up in double, in every dtype and layout") {
  for (const DType dtype : {DType::float32, DType::float64, DType::bfloat16, DType::float16}) {
    for (const Shape& shape : {Shape{}, Shape{7}, Shape{3, 5, 7}, Shape{40001}, Shape{0}}) {
      const Tensor x = sample(shape).to(dtype);
      double exact = 0;
      for (const double v : x.to_vector<double>()) exact += v * v;
      CHECK(std::fabs(squared_norm(x).item() - exact) <= 1e-13 * exact);
      CHECK(squared_norm(scattered(x)).item() == squared_norm(x).item());
    }
  }
  // A float would overflow.
  CHECK(squared_norm(full({4}, 1e30)).item() > 3.9e60);
}

TEST_CASE("reductions refuse dimensions that are not there") {
  const Tensor x = zeros({2, 3});
  CHECK_THAT(message_of<ShapeError>([&] { sum(x, {2}); }), ContainsSubstring("sum: 'dim'"));
  CHECK_THAT(message_of<ShapeError>([&] { mean(x, {-3}); }), ContainsSubstring("mean: 'dim'"));
  CHECK_THAT(message_of<ShapeError>([&] { max(x, 2); }), ContainsSubstring("max: 'dim'"));
  CHECK_THAT(message_of<ShapeError>([&] { argmax(x, 2); }), ContainsSubstring("argmax: 'dim'"));
  CHECK(message_of<ShapeError>([&] {
          sum(x, {0, -2});
        }) == "sum: 'dims': expected each dimension once, got [0, -2]");
  CHECK(message_of<ShapeError>([&] {
          max(zeros({2, 0}), 1);
        }) == "max: 'x': expected at least one element along dimension 1, got [2, 0]");
  CHECK(message_of<ShapeError>([&] {
          argmax(zeros({0, 2}), 0);
        }) == "argmax: 'x': expected at least one element along dimension 0, got [0, 2]");
  CHECK(message_of<DTypeError>([&] { squared_norm(arange(3)); }) ==
        "squared_norm: 'dtype': expected float32, float64, bfloat16 or float16, got int64");
  CHECK(message_of<DTypeError>([&] { argmax(arange(3), 0); }) ==
        "argmax: 'dtype': expected float32, float64, bfloat16 or float16, got int64");
}
