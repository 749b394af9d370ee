#include "framework/ops/operands.h"
#include "framework/ops/ops.h"
#include "framework/tensor/dispatch.h"
#include "framework/tensor/strided.h"
#include "kernels/elementwise.h"
#include "kernels/functors.h"

namespace crocuta {
namespace {

template <class Op>
Tensor apply(const char* name, const Tensor& a, const Tensor& b) {
  require_same_kind(name, "b", a, b);
  const Shape shape = broadcast_shapes(name, a.shape(), b.shape());
  Tensor y = empty(shape, a.options());
  const auto walk = strided_shape<2>(
      shape, {broadcast_strides(name, a, shape), broadcast_strides(name, b, shape)});
  const auto run = [&]<class Device, class T>() {
    kernels::binary<Device, Op, T>(walk, Op{}, a.data<T>(), b.data<T>(), y.data<T>(),
                                   current_stream(a.device()));
  };
  if constexpr (std::is_same_v<Op, kernels::Div>) {
    dispatch(name, a, run);
  } else {
    dispatch_any(a, run);
  }
  return y;
}
}  // namespace

Tensor add(const Tensor& a, const Tensor& b) {
  return record("add", apply<kernels::Add>("add", a, b), {a, b},
                [sa = a.shape(), sb = b.shape()](const Tensor& dy) -> Grads {
                  return {sum_to(dy, sa), sum_to(dy, sb)};
                });
}

Tensor sub(const Tensor& a, const Tensor& b) {
  return record(
      "sub", apply<kernels::Sub>("sub", a, b), {a, b},
      [sa = a.shape(), sb = b.shape(), need_b = b.requires_grad()](const Tensor& dy) -> Grads {
        return {sum_to(dy, sa), need_b ? neg(sum_to(dy, sb)) : Tensor()};
      });
}

Tensor mul(const Tensor& a, const Tensor& b) {
  const bool need_a = a.requires_grad(), need_b = b.requires_grad();
  return record("mul", apply<kernels::Mul>("mul", a, b), {a, b},
                [a = saved("a", a), b = saved("b", b), need_a, need_b](const Tensor& dy) -> Grads {
                  return {need_a ? sum_to(mul(dy, b), a.get().shape()) : Tensor(),
                          need_b ? sum_to(mul(dy, a), b.get().shape()) : Tensor()};
                });
}

Tensor div(const Tensor& a, const Tensor& b) {
  const bool need_a = a.requires_grad(), need_b = b.requires_grad();
  return record("div", apply<kernels::Div>("div", a, b), {a, b},
                [a = saved("a", a), b = saved("b", b), need_a, need_b](const Tensor& dy) -> Grads {
                  const Tensor da = div(dy, b);
                  return {need_a ? sum_to(da, a.get().shape()) : Tensor(),
                          need_b ? neg(sum_to(mul(da, div(a, b)), b.get().shape())) : Tensor()};
                });
}

}  // namespace crocuta
