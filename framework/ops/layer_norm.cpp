#include "kernels/layer_norm.h"

#include "framework/ops/operands.h"
#include "framework/ops/ops.h"
#include "framework/ops/workspace.h"
#include "framework/tensor/dispatch.h"

namespace crocuta {

Tensor layer_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, double eps) {
  const Rows rows = rows_of("layer_norm", x);
  require_same_kind("layer_norm", "weight", x, weight);
  require_same_kind("layer_norm", "bias", x, bias);
  const Shape per_column = {rows.size};
  if (weight.shape() != per_column) {
    fail<ShapeError>("layer_norm", "weight", to_string(per_column), to_string(weight.shape()));
  }
  if (bias.shape() != per_column) {
    fail<ShapeError>("layer_norm", "bias", to_string(per_column), to_string(bias.shape()));
  }
  if (!(eps >= 0)) fail<ArgumentError>("layer_norm", "eps", "at least 0", str(eps));

  const Tensor input = x.contiguous(), scale = weight.contiguous(), shift = bias.contiguous();
  Tensor y = empty(x.shape(), x.options());
  // A kernels::RowMoments per row.
  const Tensor moments = empty({rows.count, 3}, {accumulator_dtype(x.dtype()), x.device()});
  dispatch("layer_norm", x, [&]<class Device, class T>() {
    using Moments = kernels::RowMoments<kernels::accumulator_t<T>>;
    kernels::layer_norm_forward<Device, T>(
        rows.count, rows.size, eps, input.data<T>(), scale.data<T>(), shift.data<T>(), y.data<T>(),
        static_cast<Moments*>(moments.raw_data()), current_stream(x.device()));
  });
  return record(
      "layer_norm", std::move(y), {x, weight, bias},
      [rows, moments, x = saved("x", input),
       weight = saved("weight", scale)](const Tensor& dy) -> Grads {
        const Tensor& input = x;
        const Tensor& scale = weight;
        Tensor dx = empty(dy.shape(), dy.options());
        Tensor dweight = empty({rows.size}, dy.options()), dbias = empty({rows.size}, dy.options());
        dispatch("layer_norm", dy, [&]<class Device, class T>() {
          using Moments = kernels::RowMoments<kernels::accumulator_t<T>>;
          const Tensor scratch = workspace(
              kernels::layer_norm_backward_workspace_bytes<Device, T>(rows.count, rows.size),
              dy.device());
          kernels::layer_norm_backward<Device, T>(
              rows.count, rows.size, input.data<T>(), scale.data<T>(),
              static_cast<const Moments*>(moments.raw_data()), dy.data<T>(), dx.data<T>(),
              dweight.data<T>(), dbias.data<T>(), scratch.raw_data(), current_stream(dy.device()));
        });
        return {dx, dweight, dbias};
      });
}

}  // namespace crocuta
