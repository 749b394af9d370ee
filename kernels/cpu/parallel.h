// How CPU kernels use threads.
#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>

namespace crocuta::kernels {

inline constexpr int kMaxThreads = 1024;

// Threads that a parallel loop started here would have: what set_thread_count() said on this
// thread, to begin with default_thread_count(). 1 inside a parallel loop.
int thread_count();
// Sets that number for loops started by this thread from now on; clamped to [1, kMaxThreads].
void set_thread_count(int threads);

// CROCUTA_NUM_THREADS, or else OMP_NUM_THREADS (which launchers set), or else the cores that this
// process may run on.
int default_thread_count();
// True if one of these variables holds a number.
bool thread_count_was_asked_for();

// f(slot, begin, end) for a range of the loop; the loop's ranges of one slot come one after
// another.
using LoopBody = void (*)(void* f, int slot, std::int64_t begin, std::int64_t end);

// Runs body(f, ...) for ranges that cover [0, n) and that `threads` threads share, the calling one
// among them, and returns when all have been run. Cuts n into at most `most` ranges.
void run_loop(std::int64_t n, std::int64_t most, int threads, LoopBody body, void* f);

// One copy of f's machine code, whoever calls it: a second one, inlined elsewhere, may be
// vectorised or fused otherwise and so round otherwise.
template <class F>
[[gnu::noinline]] void run_range(F& f, int slot, std::int64_t begin, std::int64_t end) {
  f(slot, begin, end);
}

// Calls f(slot, begin, end) for ranges that cover [0, n), concurrently. `grain` is the least work
// worth a thread. A thread may be handed several ranges; its slot, below thread_count(), is its own
// until the loop ends, so scratch memory can be had by slot. Where the ranges are cut depends on
// the thread count, so no result may: each f must write only its own elements and sum nothing
// across the cut. f must not throw.
template <class F>
void parallel_for_slots(std::int64_t n, std::int64_t grain, F&& f) {
  if (n <= 0) return;
  const std::int64_t least = std::max<std::int64_t>(grain, 1);
  const std::int64_t most = n / least + (n % least != 0 ? 1 : 0);
  const int threads = most > 1 ? static_cast<int>(std::min<std::int64_t>(thread_count(), most)) : 1;
  if (threads <= 1) {
    run_range(f, 0, 0, n);
    return;
  }
  const auto body = [](void* erased, int slot, std::int64_t begin, std::int64_t end) {
    run_range(*static_cast<std::remove_reference_t<F>*>(erased), slot, begin, end);
  };
  run_loop(n, most, threads, body, &f);
}

// The same for an f(begin, end) that needs nothing of its thread's own.
template <class F>
void parallel_for(std::int64_t n, std::int64_t grain, F&& f) {
  parallel_for_slots(n, grain, [&f](int, std::int64_t begin, std::int64_t end) { f(begin, end); });
}

}  // namespace crocuta::kernels
