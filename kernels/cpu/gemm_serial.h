// A BLAS on one thread.
#pragma once

#include <mutex>

// Each is there only if the BLAS brings it, and a null pointer otherwise: the first two are
// OpenBLAS's, the others those of the OpenMP runtime that some builds of a BLAS use.
extern "C" {
int openblas_get_parallel(void) __attribute__((weak));
void openblas_set_num_threads(int) __attribute__((weak));
int omp_get_max_threads(void) __attribute__((weak));
void omp_set_num_threads(int) __attribute__((weak));
}

namespace crocuta::kernels {

// While one lives, BLAS calls from this thread use this thread alone, and nobody else calls a BLAS that
// cannot be called by two threads at once: OpenBLAS built without threads, which shares its buffers
// without a lock (0.3.29 in Debian 13 gave wrong products).
class SerialBlas {
 public:
  SerialBlas() {
    // A BLAS on OpenMP asks for the calling thread's limit at every call.
    if (omp_set_num_threads != nullptr && omp_get_max_threads != nullptr) {
      threads_ = omp_get_max_threads();
      omp_set_num_threads(1);
    }
    static const bool takes_turns = !prepare_openblas();
    if (takes_turns) turn_ = std::unique_lock(turns());
  }
  ~SerialBlas() {
    if (threads_ > 0) omp_set_num_threads(threads_);
  }
  SerialBlas(const SerialBlas&) = delete;
  SerialBlas& operator=(const SerialBlas&) = delete;

 private:
  // False if threads have to take turns. OpenBLAS with threads of its own has one number for the
  // whole program.
  static bool prepare_openblas() {
    constexpr int kSerial = 0, kPosixThreads = 1;
    if (openblas_get_parallel == nullptr || openblas_set_num_threads == nullptr) return true;
    if (openblas_get_parallel() == kPosixThreads) openblas_set_num_threads(1);
    return openblas_get_parallel() != kSerial;
  }
  static std::mutex& turns() {
    static std::mutex mutex;
    return mutex;
  }

  int threads_ = 0;  // of the OpenMP runtime, before
  std::unique_lock<std::mutex> turn_;
};

}  // namespace crocuta::kernels
