// What a process group needs from the machinery below it: a few collectives on raw buffers, each
// described by a Call. Everything a user touches is in distributed/process_group.h.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "framework/tensor/tensor.h"

namespace crocuta {

enum class ReduceOp : std::uint8_t { sum, max };

enum class Collective : std::uint8_t {
  all_to_all,
  all_reduce,
  all_gather,
  reduce_scatter,
  broadcast,
  barrier,
  split
};
inline constexpr int kCollectives = 7;

// How a group behaves; to be set alike on all of its ranks.
struct CommOptions {
  // How long a rank waits for the others within one collective before it throws a CommError.
  std::chrono::milliseconds timeout{120'000};
  // Compare collective, dtype, shape, root and sequence number over the ranks before anything
  // moves. On at first in debug builds, or as CROCUTA_CHECK_COLLECTIVES=0|1 says. Rank threads
  // share memory and always compare; between processes it costs one small message per pair.
  bool check_collectives = check_collectives_by_default();

  static bool check_collectives_by_default();
};

// What this rank has put through one kind of collective.
struct CommCount {
  std::uint64_t calls = 0;
  std::uint64_t elements = 0;    // of this rank's inputs
  std::uint64_t sent_bytes = 0;  // that left for other ranks
};
class CommStats {
 public:
  CommCount& operator[](Collective c) { return counts_[static_cast<std::size_t>(c)]; }
  const CommCount& operator[](Collective c) const { return counts_[static_cast<std::size_t>(c)]; }

 private:
  std::array<CommCount, kCollectives> counts_;
};

namespace distributed {

// One collective as one rank calls it. The ranks of a group have to make equal calls.
struct Call {
  Collective collective = Collective::barrier;
  DType dtype = DType::float32;
  ReduceOp reduce = ReduceOp::sum;
  bool recorded = false;  // in the autograd graph, whose backward pass will communicate again
  Device::Kind memory = Device::Kind::cpu;  // where the buffers lie
  int root = 0;
  int dims = 0;
  std::uint64_t sequence = 0;  // counts the collectives of this group, from 1
  std::array<std::int64_t, Tensor::kMaxDims> shape = {};

  bool operator==(const Call&) const = default;
};
// "all_reduce"
std::string_view name(Collective collective);
// "all_reduce(sum) #7 of float32 [4, 8]"
std::string describe(const Call& call);

// One rank's end of a group. Every function is collective: all ranks make the same calls in the
// same order. Reductions add in rank order, so that every backend and every run gives the same
// bits. Buffers are contiguous and lie on the device that buffers_for() names; those on a GPU are
// read and written in the order of its current stream. Only all_reduce may get the same one twice.
// Throws CommError when the ranks disagree, when one has failed, and after `options.timeout`.
class Backend {
 public:
  // `members[r]` is the rank in the world of rank r of this group.
  Backend(int rank, std::vector<int> members, const CommOptions& options);
  virtual ~Backend() = default;
  Backend(const Backend&) = delete;
  Backend& operator=(const Backend&) = delete;

  int rank() const { return rank_; }
  int size() const { return static_cast<int>(members_.size()); }
  const std::vector<int>& members() const { return members_; }
  // "rank 1", and its rank in the world where that differs.
  std::string rank_name(int rank) const;
  // "rank 1, rank 2"
  std::string rank_names(const std::vector<int>& ranks) const;
  // "<collective>: rank 0 waited 120 s in <call>", for the error that ends the waiting.
  std::string waited(const Call& call, std::chrono::milliseconds time) const;

  // Where the buffers of a collective have to lie if the tensors are on `device`.
  virtual Device buffers_for(Device device) const = 0;

  // Element counts: `count` goes to, and comes from, each rank.
  virtual void all_to_all(const Call& call, const void* in, void* out, std::int64_t count) = 0;
  virtual void all_gather(const Call& call, const void* in, void* out, std::int64_t count) = 0;
  virtual void reduce_scatter(const Call& call, const void* in, void* out, std::int64_t count) = 0;
  // `count` is that of the whole buffer.
  virtual void all_reduce(const Call& call, const void* in, void* out, std::int64_t count) = 0;
  virtual void broadcast(const Call& call, const void* in, void* out, std::int64_t count) = 0;
  virtual void barrier(const Call& call) = 0;
  // The group of all ranks that give this rank's color, ordered by key, then by rank. Null, but
  // still collective, where color is negative.
  virtual std::shared_ptr<Backend> split(const Call& call, int color, int key) = 0;

  CommOptions options;
  CommStats stats;

 private:
  const int rank_;
  const std::vector<int> members_;
};

}  // namespace distributed
}  // namespace crocuta
