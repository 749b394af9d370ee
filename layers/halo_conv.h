// A causal depthwise convolution on sequences that are sharded over ranks: each rank takes what its
// filter reaches of the chunk before, a halo, from the rank that holds it.
#pragma once

#include "distributed/context_parallel.h"

namespace crocuta {

// True if halo_conv() can be used: chunks of `local_length` samples of a rank reach as far back as a
// filter of `kernel_size` taps does.
bool has_halo(std::int64_t local_length, std::int64_t kernel_size, Sharding sharding);

// x [B, C, L/P] → y [B, C, L/P]: depthwise_conv1d(whole x, weight, bias, causal), this rank's part of
// it, for weight [G, K] and bias [G] or undefined. y and dx have the bits of one rank. One all_gather
// of (K - 1) B C elements per chunk, and one on the way back. Each rank's gradients of weight and bias
// are those of its own positions: sync_gradients() adds them up. Throws ShapeError unless has_halo(),
// and what the op throws.
Tensor halo_conv(const Tensor& x, const Tensor& weight, const Tensor& bias, const ProcessGroup& cp,
                 Sharding sharding = Sharding::contiguous);

}  // namespace crocuta
