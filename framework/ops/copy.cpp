// The members of Tensor that copy and that gradients flow through.
#include "framework/ops/ops.h"

namespace crocuta {

Tensor Tensor::to(DType dtype) const {
  if (dtype == this->dtype()) return *this;
  Tensor y = empty(shape(), {dtype, device()});
  y.copy_(detach());
  if (!is_floating(dtype) || !is_floating(this->dtype())) return y;
  return record("to", std::move(y), {*this},
                [from = this->dtype()](const Tensor& dy) -> Grads { return {dy.to(from)}; });
}

Tensor Tensor::to(Device device) const {
  if (device == this->device()) return *this;
  require_available("to", device);
  Tensor y = empty(shape(), {dtype(), device});
  y.copy_(detach());
  return record("to", std::move(y), {*this},
                [from = this->device()](const Tensor& dy) -> Grads { return {dy.to(from)}; });
}

Tensor Tensor::contiguous() const {
  if (is_contiguous()) return *this;
  return record("contiguous", clone(), {*this}, [](const Tensor& dy) -> Grads { return {dy}; });
}

}  // namespace crocuta
