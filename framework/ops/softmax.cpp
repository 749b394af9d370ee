#include "kernels/softmax.h"

#include "framework/ops/operands.h"
#include "framework/ops/ops.h"
#include "framework/tensor/dispatch.h"

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

}  // namespace crocuta
