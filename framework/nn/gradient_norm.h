// The size of gradients, and its limit.
#pragma once

#include <vector>

#include "framework/tensor/tensor.h"

namespace crocuta {

// The 2-norm of the gradients of all parameters taken together, summed in double in the order
// given. Parameters without a gradient count as zeros. Infinite only if the norm itself is beyond
// double, or a gradient is.
double gradient_norm(const std::vector<Tensor>& parameters);

// The factor by which a gradient of this norm is scaled so as not to exceed max_norm:
// min(1, max_norm / (norm + 1e-6)); 1 if the norm is NaN or infinite. Throws ArgumentError unless
// max_norm > 0.
double clip_factor(double norm, double max_norm);

// Limits gradient_norm(parameters) to max_norm and returns what it was. Gradients that are scaled
// are replaced, not changed in place, since they may be shared. A norm that is NaN or infinite
// changes nothing: check the result. Optimizer::step(clip_factor(...)) does the same without the
// copies.
double clip_grad_norm(const std::vector<Tensor>& parameters, double max_norm);

}  // namespace crocuta
