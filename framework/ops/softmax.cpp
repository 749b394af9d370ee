#include "kernels/softmax.h"

#include <limits>

#include "framework/ops/operands.h"
#include "framework/ops/ops.h"
#include "framework/tensor/dispatch.h"
#include "framework/tensor/strided.h"

namespace crocuta {

Tensor softmax(const Tensor& x) {
  const Rows rows = rows_of("softmax", x);
  const Tensor input = x.contiguous();
  Tensor y = empty(x.shape(), x.options());
  dispatch("softmax", x, [&]<class Device, class T>() {
    kernels::softmax_forward<Device, T>(rows.count, rows.size, input.data<T>(), y.data<T>(),
                                        current_stream(x.device()));
  });
  return record("softmax", std::move(y), {x}, [rows](const Tensor& dy, const Tensor& y) -> Grads {
    Tensor dx = empty(y.shape(), y.options());
    dispatch("softmax", y, [&]<class Device, class T>() {
      kernels::softmax_backward<Device, T>(rows.count, rows.size, y.data<T>(), dy.data<T>(),
                                           dx.data<T>(), current_stream(y.device()));
    });
    return {dx};
  });
}

Tensor log_softmax(const Tensor& x) {
  const Rows rows = rows_of("log_softmax", x);
  const Tensor input = x.contiguous();
  Tensor y = empty(x.shape(), x.options());
  dispatch("log_softmax", x, [&]<class Device, class T>() {
    kernels::log_softmax_forward<Device, T>(rows.count, rows.size, input.data<T>(), y.data<T>(),
                                            current_stream(x.device()));
  });
  return record(
      "log_softmax", std::move(y), {x}, [rows](const Tensor& dy, const Tensor& y) -> Grads {
        Tensor dx = empty(y.shape(), y.options());
        dispatch("log_softmax", y, [&]<class Device, class T>() {
          kernels::log_softmax_backward<Device, T>(rows.count, rows.size, y.data<T>(), dy.data<T>(),
                                                   dx.data<T>(), current_stream(y.device()));
        });
        return {dx};
      });
}

Tensor softmax(const Tensor& x, int dim) {
  dim = normalize_dim("softmax", dim, x.dim());
  return transpose(softmax(transpose(x, dim, -1)), dim, -1);
}

Tensor log_softmax(const Tensor& x, int dim) {
  dim = normalize_dim("log_softmax", dim, x.dim());
  return transpose(log_softmax(transpose(x, dim, -1)), dim, -1);
}

Tensor logsumexp(const Tensor& x, int dim, bool keepdim) {
  dim = normalize_dim("logsumexp", dim, x.dim());
  if (x.size(dim) == 0) {
    fail<ShapeError>("logsumexp", "x", str("at least one element along dimension ", dim),
                     to_string(x.shape()));
  }
  if (!is_floating(x.dtype())) detail::not_floating("logsumexp", x.dtype());
  const Tensor wide = x.to(accumulator_dtype(x.dtype()));
  // An infinite maximum would make NaN of the difference.
  const double most = wide.dtype() == DType::float64
                          ? std::numeric_limits<double>::max()
                          : static_cast<double>(std::numeric_limits<float>::max());
  const Tensor top = clamp(unsqueeze(max(wide.detach(), dim), dim), -most, most);
  const Tensor y = log(sum(exp(wide - top), {dim}, true)) + top;
  return (keepdim ? y : squeeze(y, dim)).to(x.dtype());
}

}  // namespace crocuta
