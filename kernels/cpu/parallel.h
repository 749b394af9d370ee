// How CPU kernels use threads.
#pragma once

#include <algorithm>
#include <cstdint>

#if defined(_OPENMP)
#include <omp.h>
#endif

namespace crocuta::kernels {

// Threads a parallel region started here would have.
inline int thread_count() {
#if defined(_OPENMP)
  return omp_in_parallel() ? 1 : omp_get_max_threads();
#else
  return 1;
#endif
}

// Sets that number for regions started by this thread from now on.
inline void set_thread_count([[maybe_unused]] int threads) {
#if defined(_OPENMP)
  omp_set_num_threads(threads);
#endif
}

// One copy of f's machine code, whoever calls it: a second one, inlined elsewhere, may be
// vectorised or fused otherwise and so round otherwise.
template <class F>
[[gnu::noinline]] void run_range(F& f, std::int64_t begin, std::int64_t end) {
  f(begin, end);
}

// Calls f(begin, end) for ranges that cover [0, n), concurrently. `grain` is the least work worth a
// thread. Where the ranges are cut depends on the thread count, so no result may: each f must
// write only its own elements and sum nothing across the cut. f must not throw.
template <class F>
void parallel_for(std::int64_t n, std::int64_t grain, F&& f) {
  if (n <= 0) return;
  const std::int64_t most = (n + grain - 1) / std::max<std::int64_t>(grain, 1);
  const auto threads = static_cast<int>(std::min<std::int64_t>(thread_count(), most));
  if (threads <= 1) {
    run_range(f, 0, n);
    return;
  }
#if defined(_OPENMP)
#pragma omp parallel num_threads(threads)
  {
    const std::int64_t t = omp_get_thread_num();
    const std::int64_t count = omp_get_num_threads();
    const std::int64_t begin = n / count * t + std::min(t, n % count);
    const std::int64_t end = begin + n / count + (t < n % count ? 1 : 0);
    if (begin < end) run_range(f, begin, end);
  }
#endif
}

}  // namespace crocuta::kernels
