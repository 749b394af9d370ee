#include <cmath>
#include <limits>

#include "kernels/elementwise.h"
#include "kernels/functors.h"
#include "kernels/unary_functors.h"
#include "tests/kernels/operand.h"

namespace crocuta::test {
namespace {

template <class T>
constexpr double kEpsilon = std::is_same_v<T, double>     ? 0x1p-52
                            : std::is_same_v<T, float>    ? 0x1p-23
                            : std::is_same_v<T, bfloat16> ? 0x1p-7
                                                          : 0x1p-10;
template <class T>
constexpr double kSmallest = std::is_same_v<T, double>     ? 0x1p-1074
                             : std::is_same_v<T, float>    ? 0x1p-149
                             : std::is_same_v<T, bfloat16> ? 0x1p-133
                                                           : 0x1p-24;

// Numbers from -4 to 4, then special ones: subnormal, large, infinite, not a number.
template <class T>
std::vector<T> arguments(std::int64_t n, std::uint64_t seed) {
  std::vector<T> x = numbers<T>(n, -4, 4, seed);
  const double special[] = {0.0,  -0.0, 1.0,  -1.0,    20.0,   -20.0, 50.0,     -50.0,     3e4,
                            -3e4, 1e7,  -1e7, 0x1p-24, 1e-300, 1e-42, HUGE_VAL, -HUGE_VAL, NAN};
  for (std::size_t i = 0; i < x.size() && i < std::size(special) && n > 64; ++i) {
    x[x.size() - 1 - i] = T(static_cast<accumulator_t<T>>(special[i]));
  }
  return x;
}

// How far f(x) may be off between CPU and GPU: `ulps` units in the last place of the accumulator's
// type, each of f(x) or, if `sensitive`, of x; and a rounding to T.
struct Tolerance {
  double ulps;
  bool sensitive;
};

template <class T, class F>
int beyond(const std::vector<T>& cuda, const std::vector<T>& cpu, const std::vector<T>& x,
           Tolerance tolerance, F exact) {
  using A = accumulator_t<T>;
  int wrong = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double a = static_cast<double>(static_cast<A>(cuda[i]));
    const double b = static_cast<double>(static_cast<A>(cpu[i]));
    if (std::isnan(a) || std::isnan(b) || std::isinf(a) || std::isinf(b)) {
      wrong += !(a == b || (std::isnan(a) && std::isnan(b)));
      continue;
    }
    double scale = std::fabs(b);
    if (tolerance.sensitive) {
      const double at = static_cast<double>(static_cast<A>(x[i])), h = 1e-5 * std::fabs(at);
      const double change = std::fabs(exact(at + h, i) - exact(at - h, i)) / 2e-5;
      if (std::isfinite(change)) scale += change;
    }
    const double rounding = sizeof(T) == 2 ? kEpsilon<T> * std::fabs(b) : 0;
    wrong +=
        !(std::fabs(a - b) <= tolerance.ulps * kEpsilon<A> * scale + rounding + 2 * kSmallest<T>);
  }
  return wrong;
}

template <class Device, class Op, class T>
std::vector<T> applied(Op op, const std::vector<T>& x, std::size_t x_shift, std::size_t y_shift) {
  Operand<Device, T> in(x, x_shift), out(x, y_shift);
  unary<Device, Op, T>(static_cast<std::int64_t>(x.size()), op, in.data(), out.data(), nullptr);
  CHECK(same(in.values(), x));
  return out.values();
}
template <class Device, class Op, class T>
std::vector<T> applied_in_place(Op op, const std::vector<T>& x) {
  Operand<Device, T> in(x);
  unary<Device, Op, T>(static_cast<std::int64_t>(x.size()), op, in.data(), in.data(), nullptr);
  return in.values();
}

template <class Op>
void check_unary(const char* name, Op op, Tolerance tolerance) {
  for_floating_types([&](auto type) {
    using T = typename decltype(type)::type;
    for (const std::int64_t n : kSizes) {
      CAPTURE(name, n, sizeof(T));
      const auto x = arguments<T>(n, 7);
      const auto cpu = applied<Cpu>(op, x, 0, 0);
      const auto cuda = applied<Cuda>(op, x, 0, 0);
      CHECK(beyond(cuda, cpu, x, tolerance, [&](double v, std::size_t) { return op(v); }) == 0);
      CHECK(same(applied<Cuda>(op, x, 1, 0), cuda));
      CHECK(same(applied<Cuda>(op, x, 0, 1), cuda));
      CHECK(same(applied_in_place<Cuda>(op, x), cuda));
    }
  });
}

// 0, 1, 2: the result overwrites nothing, x, dy.
template <class Device, class Op, class T>
std::vector<T> slopes(Op op, const std::vector<T>& x, const std::vector<T>& dy, std::size_t shift,
                      int overwritten) {
  const auto n = static_cast<std::int64_t>(x.size());
  Operand<Device, T> in(x, shift), slope(dy), out(x);
  T* to = overwritten == 0 ? out.data() : overwritten == 1 ? in.data() : slope.data();
  unary_backward<Device, Op, T>(n, op, in.data(), slope.data(), to, nullptr);
  return overwritten == 0 ? out.values() : overwritten == 1 ? in.values() : slope.values();
}

template <class Op>
void check_backward(const char* name, Op op, Tolerance tolerance) {
  for_floating_types([&](auto type) {
    using T = typename decltype(type)::type;
    for (const std::int64_t n : kSizes) {
      CAPTURE(name, n, sizeof(T));
      const auto x = arguments<T>(n, 7);
      const auto dy = numbers<T>(n, -2, 2, 8);
      const auto cuda = slopes<Cuda>(op, x, dy, 0, 0);
      const auto exact = [&](double v, std::size_t i) {
        return op(v, static_cast<double>(static_cast<accumulator_t<T>>(dy[i])));
      };
      CHECK(beyond(cuda, slopes<Cpu>(op, x, dy, 0, 0), x, tolerance, exact) == 0);
      CHECK(same(slopes<Cuda>(op, x, dy, 1, 0), cuda));
      CHECK(same(slopes<Cuda>(op, x, dy, 0, 1), cuda));
      CHECK(same(slopes<Cuda>(op, x, dy, 0, 2), cuda));
    }
  });
}

StridedShape<2> walk(const std::vector<std::int64_t>& size, const std::vector<std::int64_t>& a,
                     const std::vector<std::int64_t>& b) {
  StridedShape<2> shape;
  shape.dims = static_cast<int>(size.size());
  shape.numel = 1;
  for (std::size_t d = 0; d < size.size(); ++d) {
    shape.size[d] = size[d];
    shape.stride[0][d] = a[d];
    shape.stride[1][d] = b[d];
    shape.numel *= size[d];
  }
  return shape;
}

template <class Op, class T>
void check_binary(const StridedShape<2>& shape, std::size_t a_shift, std::size_t b_shift) {
  std::int64_t span[2] = {1, 1};
  for (int d = 0; d < shape.dims; ++d) {
    for (int k = 0; k < 2; ++k) span[k] += (shape.size[d] - 1) * shape.stride[k][d];
  }
  const auto a = numbers<T>(shape.numel == 0 ? 0 : span[0], -100, 100, 1);
  const auto b = numbers<T>(shape.numel == 0 ? 0 : span[1], -100, 100, 2);
  const auto run = [&](auto device) {
    using Device = typename decltype(device)::type;
    Operand<Device, T> x(a, a_shift), z(b, b_shift), y(numbers<T>(shape.numel, 0, 1));
    binary<Device, Op, T>(shape, Op{}, x.data(), z.data(), y.data(), nullptr);
    CHECK((same(x.values(), a) && same(z.values(), b)));
    return y.values();
  };
  CAPTURE(shape.numel, shape.dims, a_shift, b_shift, sizeof(T));
  CHECK(same(run(Type<Cuda>{}), run(Type<Cpu>{})));
}

template <class Op, class T>
void check_shapes() {
  for (const std::int64_t n : kSizes) {
    for (const std::size_t shift : {0, 1}) {
      check_binary<Op, T>(walk({n}, {1}, {1}), shift, 0);
      check_binary<Op, T>(walk({n}, {1}, {0}), 0, shift);
      check_binary<Op, T>(walk({n}, {0}, {1}), shift, shift);
    }
  }
  for (const std::int64_t n : {1, 3, 4, 8, 31, 32, 64}) {
    check_binary<Op, T>(walk({13, n}, {n, 1}, {0, 1}), 0, 0);  // a bias for each column
    check_binary<Op, T>(walk({13, n}, {n, 1}, {1, 0}), 0, 1);  // and for each row
    check_binary<Op, T>(walk({13, n}, {1, 0}, {0, 1}), 0, 0);  // an outer product
    check_binary<Op, T>(walk({13, n}, {n, 1}, {1, 13}), 0, 0);
    check_binary<Op, T>(walk({13, n}, {n + 4, 1}, {2 * n, 1}), 0, 0);
    check_binary<Op, T>(walk({3, 5, n}, {5 * n, n, 1}, {n, 0, 1}), 0, 0);
    check_binary<Op, T>(walk({3, 5, 2, n}, {0, 2 * n, n, 1}, {2, 0, 1, 0}), 0, 0);
  }
}

}  // namespace

TEST_CASE("sums, differences, products and quotients are those of the CPU, of any shapes") {
  if (!have_gpu()) SKIP_TEST("no GPU");
  for_types([](auto type) {
    using T = typename decltype(type)::type;
    check_shapes<Add, T>();
    check_shapes<Sub, T>();
    check_shapes<Mul, T>();
    if constexpr (!std::is_integral_v<T>) check_shapes<Div, T>();
  });
}

TEST_CASE("a sum may overwrite either of its operands") {
  if (!have_gpu()) SKIP_TEST("no GPU");
  for (const std::int64_t n : {1, 33, 257, 65537}) {
    const auto a = numbers<float>(n, -1, 1, 1), b = numbers<float>(n, -1, 1, 2);
    std::vector<float> expected;
    for (std::size_t i = 0; i < a.size(); ++i) expected.push_back(a[i] - b[i]);
    Operand<Cuda, float> x(a), y(b), z(b);
    binary<Cuda, Sub, float>(walk({n}, {1}, {1}), Sub{}, x.data(), y.data(), y.data(), nullptr);
    binary<Cuda, Sub, float>(walk({n}, {1}, {1}), Sub{}, x.data(), z.data(), x.data(), nullptr);
    CHECK(y.values() == expected);
    CHECK(x.values() == expected);
  }
}

// The ulps are the sum of what kernels/math.h and NVIDIA's programming guide state for the
// function, and of the roundings around it; there is no room to spare. Sigmoid: 2.5 on the CPU; on
// a GPU 2 for expf, half a unit for the division.
TEST_CASE("functions of one variable are those of the CPU within their rounding") {
  if (!have_gpu()) SKIP_TEST("no GPU");
  check_unary("Affine", Affine{-2.5, 0.75}, {1, true});
  check_unary("Exp", Exp{}, {3, false});
  check_unary("Log", Log{}, {2, false});
  check_unary("Sqrt", Sqrt{}, {0, false});
  check_unary("Rsqrt", Rsqrt{}, {1, false});
  check_unary("Softplus", Softplus{}, {8, true});
  check_unary("Sin", Sin{}, {5, false});
  check_unary("Cos", Cos{}, {5, false});
  check_unary("Tanh", Tanh{}, {5, false});
  check_unary("Sigmoid", Sigmoid{}, {5, false});
  check_unary("Silu", Silu{}, {6, false});
  check_unary("Gelu", Gelu{}, {8, true});
  check_unary("Relu", Relu{}, {0, false});
  check_unary("Abs", Abs{}, {0, false});
  check_unary("Square", Square{}, {0, false});
  check_unary("Pow 3", Pow{3}, {9, false});
  check_unary("Pow -0.5", Pow{-0.5}, {9, false});
  check_unary("Clamp", Clamp{-1.5, 2}, {0, false});
}

TEST_CASE("gradients of functions of one variable are those of the CPU within their rounding") {
  if (!have_gpu()) SKIP_TEST("no GPU");
  check_backward("SqrtBackward", SqrtBackward{}, {0, false});
  check_backward("SinBackward", SinBackward{}, {6, false});
  check_backward("CosBackward", CosBackward{}, {6, false});
  check_backward("TanhBackward", TanhBackward{}, {2, true});
  check_backward("SigmoidBackward", SigmoidBackward{}, {2, true});
  check_backward("SiluBackward", SiluBackward{}, {8, true});
  check_backward("GeluBackward", GeluBackward{}, {10, true});
  check_backward("ReluBackward", ReluBackward{}, {0, false});
  check_backward("AbsBackward", AbsBackward{}, {0, false});
  check_backward("SquareBackward", SquareBackward{}, {0, false});
  check_backward("PowBackward", PowBackward{2.5}, {10, false});
  check_backward("ClampBackward", ClampBackward{-1.5, 2}, {0, false});
}

}  // namespace crocuta::test
