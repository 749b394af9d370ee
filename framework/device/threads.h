// How many threads the CPU's kernels use.
#pragma once

namespace crocuta {

// Threads that an op on the CPU may use when called from this thread. To begin with:
// CROCUTA_NUM_THREADS, or else OMP_NUM_THREADS, or else the cores that this process may run on.
int num_threads();

// Sets that number for ops that this thread calls from now on. All threads of the program share one
// pool, so ops of several at once find fewer idle threads, not more of them. Results do not depend
// on it. Throws ArgumentError unless 1 <= threads <= 1024.
void set_num_threads(int threads);

// Sets the number for as long as it lives.
class NumThreads {
 public:
  explicit NumThreads(int threads) : before_(num_threads()) { set_num_threads(threads); }
  ~NumThreads() { set_num_threads(before_); }
  NumThreads(const NumThreads&) = delete;
  NumThreads& operator=(const NumThreads&) = delete;

 private:
  int before_;
};

}  // namespace crocuta
