// A residual block: the Hyena operator, then an MLP.
#pragma once

#include "layers/hyena/operator.h"
#include "layers/layer_norm.h"
#include "layers/mlp.h"

namespace crocuta {

// x [B, L/P, d] → the same shape:
//
//   r = x + dropout(mixer(norm1(x)))
//   y = r + dropout(mlp(norm2(r)))
//
// Children: norm1, mixer (HyenaOperator), norm2, mlp. Dropout acts in training only.
class HyenaBlock : public Layer {
 public:
  // Throws ArgumentError, DTypeError or DeviceError for options out of range.
  explicit HyenaBlock(const HyenaOptions& options);
  // Keys: the operator's, d_inner (4 * d_model), dropout (0).
  explicit HyenaBlock(const Config& config);

  // Throws what HyenaOperator::forward throws.
  Tensor forward(const Tensor& x, const ProcessGroup& cp = ProcessGroup::self()) override;

  // The number of x's first sequence in the whole batch, 0 at first. Where a batch is divided over
  // ranks it makes dropout independent of the division.
  void set_first_sequence(std::int64_t number) { first_sequence_ = number; }

 private:
  Tensor extend_forward(const Tensor& x, State& state) override;

  const HyenaOptions options_;
  LayerNorm& norm1_;
  HyenaOperator& mixer_;
  LayerNorm& norm2_;
  MLP& mlp_;
  std::int64_t first_sequence_ = 0;
};

}  // namespace crocuta
