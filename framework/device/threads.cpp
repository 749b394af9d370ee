#include "framework/device/threads.h"

#include "framework/base/error.h"
#include "kernels/cpu/parallel.h"

namespace crocuta {

int num_threads() {
  return kernels::thread_count();
}

void set_num_threads(int threads) {
  if (threads < 1 || threads > kernels::kMaxThreads) {
    fail<ArgumentError>("set_num_threads", "threads", str("1 to ", kernels::kMaxThreads),
                        str(threads));
  }
  kernels::set_thread_count(threads);
}

}  // namespace crocuta
