// Ranks that are threads of one process: for tests under sanitizers, for teaching, and for context
// parallelism without a launcher.
#pragma once

#include <functional>
#include <string>

#include "distributed/process_group.h"

namespace crocuta {

struct RankThreadOptions : CommOptions {
  // Threads of each rank's kernels; 0 shares the caller's out: max(1, its threads / ranks).
  int threads_per_rank = 0;
  // Called, at most once, with the first failure's message when a rank has not returned `timeout`
  // after it. A thread cannot be ended from outside, so without this run_ranks() waits on; a
  // program reports the message and ends the process.
  std::function<void(const std::string& failure)> on_stuck;
};

// Runs body(world) as `ranks` ranks, each on a thread of its own with its own default generator,
// and returns when all have finished. When a rank throws, the others' collectives throw CommError
// at once, so that none is left waiting; then the first exception is rethrown here. Throws
// ArgumentError for ranks < 1.
void run_ranks(int ranks, const std::function<void(const ProcessGroup& world)>& body,
               const RankThreadOptions& options = {});

}  // namespace crocuta
