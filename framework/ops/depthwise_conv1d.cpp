#include "kernels/depthwise_conv1d.h"

#include <limits>

#include "framework/ops/operands.h"
#include "framework/ops/ops.h"
#include "framework/tensor/dispatch.h"

namespace crocuta {
namespace {

constexpr const char* kName = "depthwise_conv1d";

// Checks the arguments and works out the sizes.
kernels::DepthwiseConv1dShape conv_shape(const Tensor& x, const Tensor& weight, const Tensor& bias,
                                         const DepthwiseConv1dOptions& options) {
  require_same_kind(kName, "weight", x, weight);
  if (x.dim() != 3) fail<ShapeError>(kName, "x", "[B, C, L]", to_string(x.shape()));
  if (weight.dim() != 2 || weight.size(0) < 1 || weight.size(1) < 1) {
    fail<ShapeError>(kName, "weight", "[G, K] with G, K >= 1", to_string(weight.shape()));
  }
  kernels::DepthwiseConv1dShape shape;
  shape.batch = x.size(0);
  shape.channels = x.size(1);
  shape.length = x.size(2);
  shape.groups = weight.size(0);
  shape.kernel_size = weight.size(1);
  if (bias.defined()) {
    require_same_kind(kName, "bias", x, bias);
    if (bias.shape() != Shape{shape.groups}) {
      fail<ShapeError>(kName, "bias", to_string({shape.groups}), to_string(bias.shape()));
    }
  }
  shape.left_padding = options.causal ? shape.kernel_size - 1 : (shape.kernel_size - 1) / 2;
  const std::int64_t hidden_dim = options.hidden_dim.value_or(shape.channels);
  if (hidden_dim % shape.groups != 0) {
    fail<ArgumentError>(kName, "hidden_dim", str("a multiple of the ", shape.groups, " groups"),
                        str(hidden_dim));
  }
  shape.group_dim = hidden_dim / shape.groups;
  shape.channel_offset = options.channel_offset;
  if (shape.channel_offset < 0 || shape.channel_offset > hidden_dim - shape.channels) {
    fail<ArgumentError>(
        kName, "channel_offset",
        str("x's ", shape.channels, " channels to lie within hidden_dim ", hidden_dim),
        str(shape.channel_offset));
  }
  // No channels at all: no group is ever asked for, but 0 would not do as a divisor.
  if (shape.group_dim == 0) shape.group_dim = 1;
  return shape;
}

}  // namespace

Tensor depthwise_conv1d(const Tensor& x, const Tensor& weight, const Tensor& bias,
                        const DepthwiseConv1dOptions& options) {
  const kernels::DepthwiseConv1dShape shape = conv_shape(x, weight, bias, options);
  const Tensor input = x.contiguous(), taps = weight.contiguous();
  const Tensor offsets = bias.defined() ? bias.contiguous() : bias;
  Tensor y = empty(x.shape(), x.options());
  dispatch(kName, x, [&]<class Device, class T>() {
    kernels::depthwise_conv1d_forward<Device, T>(shape, input.data<T>(), taps.data<T>(),
                                                 offsets.defined() ? offsets.data<T>() : nullptr,
                                                 y.data<T>(), current_stream(x.device()));
  });

  const bool needs_dx = x.requires_grad(), needs_dweight = weight.requires_grad();
  const bool needs_dbias = bias.defined() && bias.requires_grad();
  std::vector<Tensor> inputs{x, weight};
  if (bias.defined()) inputs.push_back(bias);
  return record(
      kName, y, inputs,
      [shape, needs_dx, needs_dweight, needs_dbias, has_bias = bias.defined(), x = saved("x", x),
       weight = saved("weight", weight)](const Tensor& dy) -> Grads {
        const Tensor input = x.get().contiguous(), taps = weight.get().contiguous();
        Tensor dx, dweight, dbias, workspace;
        if (needs_dx) dx = empty(dy.shape(), dy.options());
        if (needs_dweight) dweight = empty(taps.shape(), dy.options());
        if (needs_dbias) dbias = empty({shape.groups}, dy.options());
        dispatch(kName, dy, [&]<class Device, class T>() {
          if (needs_dweight || needs_dbias) {
            const auto bytes = kernels::depthwise_conv1d_workspace_bytes<Device, T>(shape);
            workspace = empty({(bytes + 7) / 8}, {DType::float64, dy.device()});
          }
          kernels::depthwise_conv1d_backward<Device, T>(
              shape, input.data<T>(), taps.data<T>(), dy.data<T>(),
              needs_dx ? dx.data<T>() : nullptr, needs_dweight ? dweight.data<T>() : nullptr,
              needs_dbias ? dbias.data<T>() : nullptr,
              workspace.defined() ? workspace.raw_data() : nullptr, current_stream(dy.device()));
        });
        Grads grads{dx, dweight};
        if (has_bias) grads.push_back(dbias);
        return grads;
      });
}

}  // namespace crocuta
