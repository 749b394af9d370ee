// How the work of a reduction is divided among the ranks, for all backends alike.
#pragma once

#include <algorithm>

#include "distributed/backends/backend.h"

namespace crocuta::distributed {

// Rank p reduces the elements [bound(p), bound(p + 1)) of a buffer of `count`.
struct Partition {
  std::int64_t count;
  std::int64_t ranks;
  std::int64_t bound(std::int64_t p) const {
    return p * (count / ranks) + std::min(p, count % ranks);
  }
  std::int64_t length(std::int64_t p) const { return bound(p + 1) - bound(p); }
};

inline std::size_t bytes_of(const Call& call, std::int64_t count) {
  return static_cast<std::size_t>(count) * size_of(call.dtype);
}

// out = the sum or maximum, as `call` says, over the ranks' parts, [ranks, count] on `device`, in
// rank order.
void reduce_parts(const Call& call, Device device, const void* parts, int ranks, std::int64_t count,
                  void* out, kernels::Stream stream);

}  // namespace crocuta::distributed
