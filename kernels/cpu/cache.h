// When a result is too large to be found in the caches by whoever reads it next.
#pragma once

#include <algorithm>
#include <cstdint>

#if defined(__linux__)
#include <unistd.h>
#endif

#include "kernels/cpu/parallel.h"

namespace crocuta::kernels {

// True if a kernel that reads and writes `bytes` in all should write past the caches: when they are
// 1.5 times the last-level cache, below which that costs more than it saves. A virtual machine
// reports the whole cache of a host it shares; a thread is taken to have no more than 32 MiB of it.
inline bool exceeds_caches(std::int64_t bytes) {
  constexpr std::int64_t kMebibyte = 1 << 20;
  std::int64_t reported = 0;
#if defined(_SC_LEVEL3_CACHE_SIZE)
  static const std::int64_t level3 = sysconf(_SC_LEVEL3_CACHE_SIZE);
  reported = level3;
#endif
  if (reported <= 0) reported = 32 * kMebibyte;
  return bytes / 3 * 2 > std::min(reported, 32 * kMebibyte * thread_count());
}

}  // namespace crocuta::kernels
