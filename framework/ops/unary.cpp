#include "framework/ops/ops.h"
#include "framework/tensor/dispatch.h"
#include "kernels/elementwise.h"
#include "kernels/unary_functors.h"

namespace crocuta {
namespace {

template <class Op>
Tensor map(const char* name, const Tensor& x, Op op) {
  const Tensor input = x.contiguous();
  Tensor y = empty(x.shape(), x.options());
  dispatch(name, x, [&]<class Device, class T>() {
    kernels::unary<Device, Op, T>(x.numel(), op, input.data<T>(), y.data<T>(),
                                  current_stream(x.device()));
  });
  return y;
}

// dx = op(x, dy), or op(y, dy) for functors that start from the result.
template <class Op>
Tensor map_backward(const char* name, const Tensor& x, const Tensor& dy, Op op) {
  const Tensor input = x.contiguous();
  Tensor dx = empty(x.shape(), x.options());
  dispatch(name, x, [&]<class Device, class T>() {
    kernels::unary_backward<Device, Op, T>(x.numel(), op, input.data<T>(), dy.data<T>(),
                                           dx.data<T>(), current_stream(x.device()));
  });
  return dx;
}

// y = op(x) with dx = backward(x, dy).
template <class Op, class Backward>
Tensor apply(const char* name, const Tensor& x, Op op, Backward backward) {
  return record(name, map(name, x, op), {x},
                [name, x = saved("x", x), backward](const Tensor& dy) -> Grads {
                  return {map_backward(name, x, dy, backward)};
                });
}

// y = op(x) with dx = backward(y, dy): x need not be kept.
template <class Op, class Backward>
Tensor apply_from_result(const char* name, const Tensor& x, Op op, Backward backward) {
  return record(name, map(name, x, op), {x},
                [name, backward](const Tensor& dy, const Tensor& y) -> Grads {
                  return {map_backward(name, y, dy, backward)};
                });
}

// affine() under the name of the op that is one.
Tensor apply_affine(const char* name, const Tensor& x, double scale, double shift) {
  return record(
      name, map(name, x, kernels::Affine{scale, shift}), {x},
      [scale](const Tensor& dy) -> Grads { return {scale == 1 ? dy : affine(dy, scale, 0)}; });
}

}  // namespace

Tensor affine(const Tensor& x, double scale, double shift) {
  return apply_affine("affine", x, scale, shift);
}

Tensor neg(const Tensor& x) {
  return apply_affine("neg", x, -1, 0);
}

Tensor exp(const Tensor& x) {
  return record("exp", map("exp", x, kernels::Exp{}), {x},
                [](const Tensor& dy, const Tensor& y) -> Grads { return {mul(dy, y)}; });
}

Tensor log(const Tensor& x) {
  return record("log", map("log", x, kernels::Log{}), {x},
                [x = saved("x", x)](const Tensor& dy) -> Grads { return {div(dy, x)}; });
}

Tensor sqrt(const Tensor& x) {
  return apply_from_result("sqrt", x, kernels::Sqrt{}, kernels::SqrtBackward{});
}

Tensor rsqrt(const Tensor& x) {
  return apply_from_result("rsqrt", x, kernels::Rsqrt{}, kernels::RsqrtBackward{});
}

Tensor softplus(const Tensor& x) {
  return apply("softplus", x, kernels::Softplus{}, kernels::SoftplusBackward{});
}

Tensor sin(const Tensor& x) {
  return apply("sin", x, kernels::Sin{}, kernels::SinBackward{});
}

Tensor cos(const Tensor& x) {
  return apply("cos", x, kernels::Cos{}, kernels::CosBackward{});
}

Tensor tanh(const Tensor& x) {
  return apply_from_result("tanh", x, kernels::Tanh{}, kernels::TanhBackward{});
}

Tensor abs(const Tensor& x) {
  return apply("abs", x, kernels::Abs{}, kernels::AbsBackward{});
}

Tensor square(const Tensor& x) {
  return apply("square", x, kernels::Square{}, kernels::SquareBackward{});
}

Tensor pow(const Tensor& x, double exponent) {
  if (exponent == 0) {  // 0 * x^-1 is not the gradient at 0
    if (!is_floating(x.dtype())) detail::not_floating("pow", x.dtype());
    return record("pow", ones(x.shape(), x.options()), {x},
                  [](const Tensor& dy) -> Grads { return {zeros(dy.shape(), dy.options())}; });
  }
  if (exponent == 1) return apply_affine("pow", x, 1, 0);
  if (exponent == 2) return apply("pow", x, kernels::Square{}, kernels::SquareBackward{});
  return apply("pow", x, kernels::Pow{exponent}, kernels::PowBackward{exponent});
}

Tensor relu(const Tensor& x) {
  return apply_from_result("relu", x, kernels::Relu{}, kernels::ReluBackward{});
}

Tensor sigmoid(const Tensor& x) {
  return apply_from_result("sigmoid", x, kernels::Sigmoid{}, kernels::SigmoidBackward{});
}

Tensor silu(const Tensor& x) {
  return apply("silu", x, kernels::Silu{}, kernels::SiluBackward{});
}

Tensor gelu(const Tensor& x) {
  return apply("gelu", x, kernels::Gelu{}, kernels::GeluBackward{});
}

Tensor clamp(const Tensor& x, double low, double high) {
  if (!(low <= high)) {
    fail<ArgumentError>("clamp", "low, high", "low <= high", str(low, ", ", high));
  }
  return apply("clamp", x, kernels::Clamp{low, high}, kernels::ClampBackward{low, high});
}

}  // namespace crocuta
