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

Largest largest(const char* op, const Tensor& x, int dim) {
  if (x.size(dim) == 0) {
    fail<ShapeError>(op, "x", str("at least one element along dimension ", dim),
                     to_string(x.shape()));
  }
  const Tensor rows = last(x.detach(), dim).contiguous();
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

}  // namespace

Tensor max(const Tensor& x, int dim) {
  dim = normalize_dim("max", dim, x.dim());
  const Largest found = largest("max", x, dim);
  return record("max", squeeze(last(found.values, dim), dim), {x},
                [dim, indices = found.indices, shape = found.moved](const Tensor& dy) -> Grads {
                  const Tensor rows = last(unsqueeze(dy, dim), dim).contiguous();
                  Tensor dx = empty(shape, dy.options());
                  dispatch("max", dy, [&]<class Device, class T>() {
                    kernels::max_backward<Device, T>(indices.numel(), shape.back(),
                                                     indices.data<std::int64_t>(), rows.data<T>(),
                                                     dx.data<T>(), current_stream(dy.device()));
                  });
                  return {last(dx, dim)};
                });
}

Tensor argmax(const Tensor& x, int dim) {
  dim = normalize_dim("argmax", dim, x.dim());
  return squeeze(last(largest("argmax", x, dim).indices, dim), dim).contiguous();
}

}  // namespace crocuta
