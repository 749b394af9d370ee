#include "kernels/max.h"

#include "framework/ops/ops.h"
#include "framework/tensor/dispatch.h"
#include "framework/tensor/strided.h"

namespace crocuta {
namespace {

struct Largest {
  Tensor values, indices;  // of the shape of x with dimension dim last and then taken out
  Shape moved;             // that shape before it is taken out
};

// x with dimension dim moved to the end; its own inverse.
Tensor last(const Tensor& x, int dim) {
  return transpose(x, dim, -1);
}

// The largest elements of x, or of -x.
Largest largest(const char* op, const Tensor& x, int dim, bool negated) {
  if (x.size(dim) == 0) {
    fail<ShapeError>(op, "x", str("at least one element along dimension ", dim),
                     to_string(x.shape()));
  }
  if (!is_floating(x.dtype())) detail::not_floating(op, x.dtype());
  const Tensor values = negated ? neg(x.detach()) : x.detach();
  const Tensor rows = last(values, dim).contiguous();
  const std::int64_t n = x.size(dim);
  Shape shape = rows.shape();
  shape.back() = 1;
  Largest result{empty(shape, x.options()), empty(shape, {DType::int64, x.device()}), rows.shape()};
  dispatch(op, x, [&]<class Device, class T>() {
    kernels::max_forward<Device, T>(x.numel() / n, n, rows.data<T>(), result.values.data<T>(),
                                    result.indices.data<std::int64_t>(),
                                    current_stream(x.device()));
  });
  return result;
}

Tensor extreme(const char* op, const Tensor& x, int dim, bool smallest) {
  dim = normalize_dim(op, dim, x.dim());
  const Largest found = largest(op, x, dim, smallest);
  const Tensor values = smallest ? neg(found.values) : found.values;
  return record(op, squeeze(last(values, dim), dim), {x},
                [op, dim, indices = found.indices, shape = found.moved](const Tensor& dy) -> Grads {
                  const Tensor rows = last(unsqueeze(dy, dim), dim).contiguous();
                  Tensor dx = empty(shape, dy.options());
                  dispatch(op, dy, [&]<class Device, class T>() {
                    kernels::max_backward<Device, T>(indices.numel(), shape.back(),
                                                     indices.data<std::int64_t>(), rows.data<T>(),
                                                     dx.data<T>(), current_stream(dy.device()));
                  });
                  return {last(dx, dim)};
                });
}

Tensor arg_extreme(const char* op, const Tensor& x, int dim, bool smallest) {
  dim = normalize_dim(op, dim, x.dim());
  return squeeze(last(largest(op, x, dim, smallest).indices, dim), dim).contiguous();
}

}  // namespace

Tensor max(const Tensor& x, int dim) {
  return extreme("max", x, dim, false);
}
Tensor max(const Tensor& x) {
  return extreme("max", reshape(x, {x.numel()}), 0, false);
}
Tensor argmax(const Tensor& x, int dim) {
  return arg_extreme("argmax", x, dim, false);
}
Tensor min(const Tensor& x, int dim) {
  return extreme("min", x, dim, true);
}
Tensor min(const Tensor& x) {
  return extreme("min", reshape(x, {x.numel()}), 0, true);
}
Tensor argmin(const Tensor& x, int dim) {
  return arg_extreme("argmin", x, dim, true);
}

}  // namespace crocuta
