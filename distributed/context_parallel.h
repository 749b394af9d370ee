// Context parallelism: one sequence split over the ranks of a group. Between two re-shardings each
// rank holds whole sequences of a slice of the channels, so that operators along the sequence need
// no communication of their own. Sizes: B batch, C channels, L length, P ranks.
#pragma once

#include <cstdint>
#include <vector>

#include "distributed/process_group.h"

namespace crocuta {

// Which positions a rank holds while the sequence is sharded.
enum class Sharding {
  contiguous,  // chunk r of P
  zigzag       // chunks r and 2P-1-r of 2P, in this order: even work for causal attention
};

// The chunks of the sequence in the order in which the ranks hold them: [0 1 2 3], and for zigzag
// [0 3 1 2] on two ranks, [0 7 1 6 2 5 3 4] on four.
std::vector<int> chunk_order(Sharding sharding, int ranks);

// x [B, C, L/P] → [B, C/P, L]: from a slice of the sequence to a slice of the channels, rank r's
// being [r*C/P, (r+1)*C/P). One all_to_all of B*C*L/P elements. The transpose, and inverse, is
// channel_to_seq. Throws ShapeError, before anything is sent, unless x has three dimensions, P
// divides C and the number of chunks divides L.
Tensor seq_to_channel(const Tensor& x, const ProcessGroup& group,
                      Sharding sharding = Sharding::contiguous);

// x [B, C/P, L] → [B, C, L/P]: the way back.
Tensor channel_to_seq(const Tensor& x, const ProcessGroup& group,
                      Sharding sharding = Sharding::contiguous);

// This rank's part of x along dimension dim: [..., L, ...] → [..., L/P, ...]; x is the same on all
// ranks. No communication, and each rank's gradient is zero outside its part. Throws ShapeError if
// the number of chunks does not divide L.
Tensor shard_sequence(const Tensor& x, int dim, const ProcessGroup& group,
                      Sharding sharding = Sharding::contiguous);

// The whole of a sharded tensor on every rank: [..., L/P, ...] → [..., L, ...]. An all_gather; its
// gradient is the sum over ranks.
Tensor unshard(const Tensor& x, int dim, const ProcessGroup& group,
               Sharding sharding = Sharding::contiguous);

// The positions in a sequence of `length` that this rank's part holds: int64 [L/P].
Tensor local_positions(std::int64_t length, const ProcessGroup& group,
                       Sharding sharding = Sharding::contiguous, Device device = default_device());

// World = data-parallel x context-parallel. Ranks that follow one another form a context-parallel
// group, which shares sequences; ranks with the same place in theirs form a data-parallel group.
struct ParallelContext {
  ProcessGroup world;
  ProcessGroup data_parallel;
  ProcessGroup context_parallel;
};
// Throws ArgumentError, on all ranks alike, unless context_parallel is positive and divides the
// world.
ParallelContext make_parallel(const ProcessGroup& world, int context_parallel);

}  // namespace crocuta
