// DistributedDepthwiseConv1d: a depthwise convolution over time whose channels may be spread over
// the ranks of a context-parallel group.
#pragma once

#include <cstdint>
#include <optional>

#include "distributed/context_parallel.h"
#include "framework/base/config.h"
#include "layers/layer.h"

namespace crocuta {

// With C = hidden_dim, K = kernel_size, G = num_groups, and r of P the caller's rank in `cp`:
//
//   offset = r * (C/P)        g(c) = (offset + c) / (C/G)        left = causal ? K-1 : (K-1)/2
//   y[b,c,t] = bias[g(c)] + sum_{k<K} weight[g(c),k] * x[b, c, t + k - left]
//
// Terms outside [0, L) are left out. This is a cross-correlation: weight is not flipped, and in the
// causal form weight[:, K-1] meets the current sample. For an even K that is not causal, the extra
// zero of padding is on the right. The weight of a torch.nn.Conv1d(C, C, K, groups=C) loads as its
// squeeze(1).
//
// Parameters, the same on every rank: weight [G, K] and, if asked for, bias [G]. Nothing is sent in
// forward or backward; y and dx have the same bits for every P. On each rank the gradients of the
// parameters have their full shape and hold the part of its own channels: sync_gradients() adds
// them up.
class DistributedDepthwiseConv1d : public Layer {
 public:
  struct Options {
    std::int64_t hidden_dim = 0;   // required: all channels, over all ranks
    std::int64_t kernel_size = 0;  // required
    bool causal = false;
    std::optional<std::int64_t> num_groups = std::nullopt;  // as many as channels
    bool bias = false;
    DType dtype = DType::float32;
    Device device = default_device();
  };
  // Throws ArgumentError for sizes below 1, for num_groups that do not divide hidden_dim and for a
  // weight too large to count, DTypeError and DeviceError for those, OutOfMemory.
  explicit DistributedDepthwiseConv1d(const Options& options);
  // Keys: the options' names, with the same defaults.
  explicit DistributedDepthwiseConv1d(const Config& config);

  // Draws weight, then bias, uniformly from [-1/sqrt(K), 1/sqrt(K)]; the constructor has done so
  // once. The same numbers in every dtype, up to its rounding.
  void init_weights();

  // x [B, C/P, L], of any strides → y [B, C/P, L], contiguous. Throws ArgumentError if hidden_dim
  // is not a multiple of the number of ranks, ShapeError, DTypeError or DeviceError unless x fits.
  Tensor forward(const Tensor& x, const ProcessGroup& cp = ProcessGroup::self()) override;

  // The same for x in sequence shards, [B, C, L/P]: each rank takes what the filter reaches of the
  // chunk before from its neighbour (layers/halo_conv.h). y and dx have the bits of one rank, and the
  // gradients of the parameters are those of this rank's positions. Throws ArgumentError unless the
  // layer is causal, ShapeError unless a rank's chunks have at least K - 1 samples.
  Tensor on_sequence_shards(const Tensor& x, const ProcessGroup& cp,
                            Sharding sharding = Sharding::contiguous);

  int time_dimension() const override { return 2; }
  std::int64_t hidden_dim() const { return options_.hidden_dim; }
  std::int64_t kernel_size() const { return options_.kernel_size; }
  bool causal() const { return options_.causal; }
  std::int64_t num_groups() const { return *options_.num_groups; }
  // Neighbouring channels that share a row of the weight: C/G.
  std::int64_t group_dim() const { return hidden_dim() / num_groups(); }
  DType dtype() const { return weight_.dtype(); }
  Device device() const { return weight_.device(); }
  const Tensor& weight() const { return weight_; }
  // Undefined without a bias.
  const Tensor& bias() const { return bias_; }

 private:
  Tensor extend_forward(const Tensor& x, State& state) override;
  void require_input(const Tensor& x, const ProcessGroup& cp) const;

  const Options options_;  // num_groups filled in; dtype and device are the weight's
  Tensor weight_, bias_;
};

}  // namespace crocuta
