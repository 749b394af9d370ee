#include "framework/nn/losses.h"

namespace crocuta {
namespace {

void require_shape(const char* op, const char* name, const Tensor& like, const Tensor& x) {
  if (x.shape() != like.shape()) {
    fail<ShapeError>(op, name, to_string(like.shape()), to_string(x.shape()));
  }
}

Tensor reduce(const Tensor& losses, Reduction reduction) {
  return reduction == Reduction::sum ? sum(losses) : mean(losses);
}

}  // namespace

Tensor mse_loss(const Tensor& input, const Tensor& target, Reduction reduction) {
  require_shape("mse_loss", "target", input, target);
  return reduce(square(input - target), reduction);
}

Tensor binary_cross_entropy_with_logits(const Tensor& logits, const Tensor& targets,
                                        Reduction reduction) {
  require_shape("binary_cross_entropy_with_logits", "targets", logits, targets);
  return reduce(targets * softplus(-logits) + (1 - targets) * softplus(logits), reduction);
}

}  // namespace crocuta
