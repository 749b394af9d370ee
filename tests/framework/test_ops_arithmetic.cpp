#include "framework/ops.h"
#include "tests/check_op.h"
#include "tests/support/catch.h"

using namespace crocuta;
using namespace crocuta::test;

namespace {

struct Arithmetic {
  const char* name;
  Tensor (*op)(const Tensor&, const Tensor&);
  double (*exact)(double, double);
};
const Arithmetic kOps[] = {
    {"add", add, [](double a, double b) { return a + b; }},
    {"sub", sub, [](double a, double b) { return a - b; }},
    {"mul", mul, [](double a, double b) { return a * b; }},
    {"div", div, [](double a, double b) { return a / b; }},
};

void check(const Arithmetic& op, const Shape& a, const Shape& b) {
  // Divisors stay away from zero.
  check_op({.name = str(op.name, to_string(a), to_string(b)),
            .fn = [&](const std::vector<Tensor>& x) { return op.op(x[0], x[1]); },
            .oracle = apply(op.exact),
            .inputs = {sample(a, -2, 2, 11), sample(b, 0.5, 2, 12)},
            .rounding = 8,
            .gradient_scale = static_cast<double>(element_count(a) + element_count(b) + 1)});
}

}  // namespace

TEST_CASE("arithmetic on equal shapes") {
  for (const Arithmetic& op : kOps) {
    for (const std::int64_t n : {1, 2, 7, 8, 9, 15, 16, 17, 31, 33, 97}) check(op, {n}, {n});
    check(op, {3, 5, 7}, {3, 5, 7});
    check(op, {}, {});
  }
}

TEST_CASE("arithmetic broadcasts as NumPy does") {
  for (const Arithmetic& op : kOps) {
    check(op, {3, 5}, {5});
    check(op, {5}, {3, 5});
    check(op, {3, 1}, {1, 5});
    check(op, {2, 1, 4, 1}, {3, 1, 6});
    check(op, {}, {2, 3});
    check(op, {2, 3}, {1});
  }
}

TEST_CASE("arithmetic on nothing gives nothing") {
  for (const Arithmetic& op : kOps) {
    check(op, {0}, {0});
    check(op, {3, 0}, {1});
    check(op, {2, 0, 5}, {0, 5});
  }
}

TEST_CASE("arithmetic on more elements than one thread takes") {
  for (const Arithmetic& op : kOps) {
    const Tensor a = sample({70001}), b = sample({70001}, 0.5, 2, 9);
    check_op({.name = op.name,
              .fn = [&](const std::vector<Tensor>& x) { return op.op(x[0], x[1]); },
              .oracle = apply(op.exact),
              .inputs = {a, b},
              .dtypes = {DType::float32},
              .rounding = 8,
              .gradient = {.elements = 3}});
  }
}

TEST_CASE("integers add, subtract and multiply exactly") {
  const std::int64_t big = (std::int64_t{1} << 53) + 1;  // not a double
  const Tensor a = from_vector<std::int64_t>({big, -3, 5}, {3});
  const Tensor b = from_vector<std::int64_t>({2, 4, -7}, {3});
  CHECK(add(a, b).to_vector<std::int64_t>() == std::vector<std::int64_t>{big + 2, 1, -2});
  CHECK(sub(a, b).to_vector<std::int64_t>() == std::vector<std::int64_t>{big - 2, -7, 12});
  CHECK(mul(a, b).to_vector<std::int64_t>() == std::vector<std::int64_t>{2 * big, -12, -35});
  CHECK(message_of<DTypeError>([&] { div(a, b); }) ==
        "div: 'dtype': expected float32, float64, bfloat16 or float16, got int64");
}

TEST_CASE("one tensor may be both operands") {
  gradcheck([](const std::vector<Tensor>& x) { return mul(x[0], x[0]); }, {sample({5})});
  gradcheck([](const std::vector<Tensor>& x) { return div(x[0], x[0]) + sub(x[0], x[0]); },
            {sample({5}, 1, 2)});
}

TEST_CASE("numbers mix with tensors through the operators") {
  const auto check_affine = [](const char* name, const Fn& fn, double (*exact)(double)) {
    check_op({.name = name,
              .fn = fn,
              .oracle = apply(exact),
              .inputs = {sample({3, 7})},
              .rounding = 4,
              .scale = 4});
  };
  using Tensors = std::vector<Tensor>;
  check_affine(
      "x + c", [](const Tensors& x) { return x[0] + 1.5; }, [](double x) { return x + 1.5; });
  check_affine(
      "c + x", [](const Tensors& x) { return 1.5 + x[0]; }, [](double x) { return x + 1.5; });
  check_affine(
      "x - c", [](const Tensors& x) { return x[0] - 1.5; }, [](double x) { return x - 1.5; });
  check_affine(
      "c - x", [](const Tensors& x) { return 1.5 - x[0]; }, [](double x) { return 1.5 - x; });
  check_affine(
      "x * c", [](const Tensors& x) { return x[0] * 3.0; }, [](double x) { return 3 * x; });
  check_affine(
      "x / c", [](const Tensors& x) { return x[0] / 4.0; }, [](double x) { return x / 4; });
  check_affine(
      "-x", [](const Tensors& x) { return -x[0]; }, [](double x) { return -x; });
}

TEST_CASE("affine scales and shifts, neg changes the sign") {
  check_op({.name = "affine",
            .fn = [](const std::vector<Tensor>& x) { return affine(x[0], -2.5, 0.75); },
            .oracle = apply([](double x) { return -2.5 * x + 0.75; }),
            .inputs = {sample({5, 7})},
            .scale = 6});
  check_op({.name = "neg",
            .fn = [](const std::vector<Tensor>& x) { return neg(x[0]); },
            .oracle = apply([](double x) { return -x; }),
            .inputs = {sample({5, 7})},
            .rounding = 1});
}

TEST_CASE("operands that do not match are refused") {
  const Tensor a = zeros({2, 3});
  for (const Arithmetic& op : kOps) {
    CHECK_THAT(message_of<ShapeError>([&] {
                 op.op(a, zeros({2, 4}));
               }),
               ContainsSubstring("[2, 3]") && ContainsSubstring("[2, 4]"));
    CHECK_THAT(message_of<ShapeError>([&] {
                 op.op(a, zeros({3, 3}));
               }),
               ContainsSubstring("[3, 3]"));
    CHECK(message_of<DTypeError>([&] {
            op.op(a, zeros({2, 3}, {.dtype = DType::float64}));
          }) == str(op.name, ": 'b': expected float32, got float64"));
    CHECK(message_of<DTypeError>([&] { op.op(a, arange(3)); }) ==
          str(op.name, ": 'b': expected float32, got int64"));
    CHECK_THAT(message_of<ArgumentError>([&] { op.op(a, Tensor()); }),
               ContainsSubstring("defined"));
  }
}
