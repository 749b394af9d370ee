// Losses beside cross_entropy (framework/ops/ops.h).
#pragma once

#include "framework/ops/ops.h"

namespace crocuta {

// (input - target)^2, averaged or summed. Throws ShapeError unless the shapes are equal: nothing is
// broadcast here, where it is a mistake as a rule.
Tensor mse_loss(const Tensor& input, const Tensor& target, Reduction reduction = Reduction::mean);

// -target log(p) - (1 - target) log(1 - p) with p = sigmoid(logits), averaged or summed; targets are
// probabilities. Exact to rounding also where p is next to 0 or 1. Throws ShapeError as above.
Tensor binary_cross_entropy_with_logits(const Tensor& logits, const Tensor& targets,
                                        Reduction reduction = Reduction::mean);

}  // namespace crocuta
