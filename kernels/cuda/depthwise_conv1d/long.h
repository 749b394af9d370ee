// The depthwise convolution with filters of any length and padding, which arithmetic bounds.
#pragma once

#include "kernels/cuda/depthwise_conv1d/launch.h"

namespace crocuta::kernels {

// out[b,c,t] = bias[g(c)] + sum_k weight[g(c),k] * in[b,c,t+k-left], k in ascending order. With
// `backwards` the filter is read backwards and the paddings change sides: dx from dy.
template <class T>
void correlate_long(const DepthwiseConv1dShape& shape, bool backwards, const T* in, const T* weight,
                    const T* bias, T* out, Stream stream);

// The sums of dweight and dbias, [channels, units.parts, K + 1].
template <class T>
void sum_long(const DepthwiseConv1dShape& shape, const LongSumsTiling& tiling,
              const SumUnits& units, const T* x, const T* dy, double* sums, Stream stream);

}  // namespace crocuta::kernels
