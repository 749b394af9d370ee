// moving_average: an operation made outside Crocuta, with its gradient.
#pragma once

#include <crocuta/tensor.h>

namespace example {

// Exponential moving averages along the last dimension:
//
//   y[.., t] = decay * y[.., t - 1] + (1 - decay) * x[.., t],   y[.., -1] = 0
//
// x [.., L], of a floating dtype, on the CPU. Sums are float32 for the 16-bit types. Throws
// ArgumentError unless 0 <= decay < 1, ShapeError unless x has a dimension, DTypeError, and
// DeviceError for a tensor on a GPU.
crocuta::Tensor moving_average(const crocuta::Tensor& x, double decay);

}  // namespace example
