// The Hyena operator of order 2 (Poli et al. 2023, arXiv 2302.10866): a long convolution between
// two gates, in place of attention.
#pragma once

#include "layers/distributed_depthwise_conv1d.h"
#include "layers/hyena/filter.h"
#include "layers/linear.h"

namespace crocuta {

// x [B, L, d] → y [B, L, d]:
//
//   u    = short_conv(in_proj(x))                  [B, 3d, L]; channel 3c + p is stream p of x0, x1, v
//   h[c] = causal_conv(x1[c] * v[c], k[c]) + skip[c] * x1[c] * v[c]
//   y    = out_proj(x0 * h)
//
// On a context-parallel group x and y are [B, L/P, d], and there are two ways, cp_algorithm:
// - halo: the short convolution takes two samples from the rank before; x1 * v goes over to channel
//   shards, is convolved, and comes back to x0: 2*B*d*L/P elements per rank, and 6*B*d of halo. In
//   16-bit types the two that travel are rounded, which on one rank they are not.
// - channels: the whole sequences of 1/P of the channels, interleaved so that a slice holds all that
//   its outputs need, are gathered after in_proj and scattered before out_proj: 4*B*d*L/P elements.
// auto is halo where the parts of the sequence are long enough for one. The parameters, and the
// results up to rounding, do not depend on P.
//
// Parameters: in_proj.{weight [3d, d], bias}, short_conv.{weight [3d, 3], bias},
// out_proj.{weight [d, d], bias}, filter.* (HyenaFilter).
class HyenaOperator : public Layer {
 public:
  // Throws ArgumentError, DTypeError or DeviceError for options out of range.
  explicit HyenaOperator(const HyenaOptions& options);
  // Keys: d_model, l_max, filter_order (64), emb_dim (5), w (10), n_layers (1), dtype, device.
  explicit HyenaOperator(const Config& config);

  // Throws ShapeError unless x is [B, L/P, d] with L <= l_max, DTypeError or DeviceError unless it
  // agrees with the parameters, ArgumentError unless P divides d. B and L may be 0.
  Tensor forward(const Tensor& x, const ProcessGroup& cp = ProcessGroup::self()) override;

 private:
  Tensor extend_forward(const Tensor& x, State& state) override;
  // The convolutions and gates of projected [B, 3d, L/P] → [B, d, L/P].
  Tensor by_channels(const Tensor& projected, const ProcessGroup& cp);
  Tensor by_halo(const Tensor& projected, const ProcessGroup& cp);
  bool takes_halo(std::int64_t local_length, const ProcessGroup& cp) const;
  void require_input(const Tensor& x, const ProcessGroup& cp, std::int64_t length) const;

  const HyenaOptions options_;
  Linear& in_proj_;
  DistributedDepthwiseConv1d& short_conv_;
  Linear& out_proj_;
  HyenaFilter& filter_;
};

// Reorders the rows of in_proj's or short_conv's weight or bias, [3d, ..], from three blocks
// [x0 | x1 | v], as other implementations store them, to this layer's 3c + p. Throws ShapeError
// unless 3 divides the number of rows.
Tensor interleave_streams(const Tensor& blocks);

// Does so with those four of every operator in `state`, whose names end in in_proj.weight and so
// on; the rest is passed on.
StateDict interleave_streams(const StateDict& state);

}  // namespace crocuta
