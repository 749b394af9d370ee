// Depthwise convolution along the last dimension, one filter per group of channels:
//
//   y[b,c,t] = bias[g(c)] + sum_{k<K} weight[g(c),k] * x[b, c, t + k - left_padding]
//
// with g(c) = (channel_offset + c) / group_dim. Terms whose sample lies outside [0, L) are left
// out, not multiplied by zero, so that a NaN in a weight or a sample spreads just as far as the
// formula says. The group and the slice of channels are index arithmetic: no padded copy of x and
// no expanded weight exists.
#pragma once

#include <cstdint>

#include "kernels/types.h"

namespace crocuta::kernels {

struct DepthwiseConv1dShape {
  std::int64_t batch = 0;
  std::int64_t channels = 0;  // of x: a slice of all channels
  std::int64_t length = 0;
  std::int64_t kernel_size = 1;
  std::int64_t left_padding = 0;    // 0 .. kernel_size - 1; the rest of the padding is on the right
  std::int64_t channel_offset = 0;  // the number of the slice's first channel
  std::int64_t group_dim = 1;       // neighbouring channels that share one filter
  std::int64_t groups = 1;

  CROCUTA_HOST_DEVICE std::int64_t group(std::int64_t channel) const {
    return (channel_offset + channel) / group_dim;
  }
};

// y [B, C, L] from x [B, C, L], weight [G, K] and bias [G] (nullptr for none); y overlaps no input.
// An element's terms are added in an order fixed by its place in the row alone, so y has the same
// bits for every thread count and every slice of channels.
template <class Device, class T>
void depthwise_conv1d_forward(const DepthwiseConv1dShape& shape, const T* x, const T* weight,
                              const T* bias, T* y, Stream stream);

// Bytes that depthwise_conv1d_backward needs at `workspace` when dweight or dbias is wanted.
template <class Device, class T>
std::int64_t depthwise_conv1d_workspace_bytes(const DepthwiseConv1dShape& shape);

// From dy [B, C, L]:
//
//   dx[b,c,s]    = sum_k weight[g(c),k] * dy[b, c, s - k + left_padding]            [B, C, L]
//   dweight[g,k] = sum_{c: g(c)=g} sum_{b,t} dy[b,c,t] * x[b, c, t + k - left_padding]   [G, K]
//   dbias[g]     = sum_{c: g(c)=g} sum_{b,t} dy[b,c,t]                                  [G]
//
// Rows of groups without a channel in the slice are set to zero. A result that is nullptr is not
// computed. `workspace` is aligned to 8 and may be nullptr when only dx is wanted.
//
// The sums are taken as a fixed tree, the same at every thread count and for every alignment. On
// the CPU each lane of a vector register adds its products of 2,048 samples in accumulator_t<T>;
// all else is added in double.
template <class Device, class T>
void depthwise_conv1d_backward(const DepthwiseConv1dShape& shape, const T* x, const T* weight,
                               const T* dy, T* dx, T* dweight, T* dbias, void* workspace,
                               Stream stream);

// The formulas above as plain loops on the CPU, summed in double: what the others are compared
// with.
template <class T>
void depthwise_conv1d_reference_forward(const DepthwiseConv1dShape& shape, const T* x,
                                        const T* weight, const T* bias, T* y);
template <class T>
void depthwise_conv1d_reference_backward(const DepthwiseConv1dShape& shape, const T* x,
                                         const T* weight, const T* dy, T* dx, T* dweight, T* dbias);

}  // namespace crocuta::kernels
