// A BLAS on one thread.
#pragma once

#if defined(_OPENMP)
#include <omp.h>
#endif

// Present in OpenBLAS only; a null pointer with any other CBLAS.
extern "C" {
int openblas_get_parallel(void) __attribute__((weak));
void openblas_set_num_threads(int) __attribute__((weak));
}

namespace crocuta::kernels {

// While one lives, BLAS calls from this thread use this thread alone.
class SerialBlas {
 public:
  SerialBlas() {
#if defined(_OPENMP)
    // OpenBLAS on OpenMP asks for the calling thread's limit at every call.
    threads_ = omp_get_max_threads();
    omp_set_num_threads(1);
    static const bool once = limit_threads(1 /* OpenBLAS's number for POSIX threads */);
#else
    static const bool once = limit_threads(0);
#endif
    static_cast<void>(once);
  }
  ~SerialBlas() {
#if defined(_OPENMP)
    omp_set_num_threads(threads_);
#endif
  }
  SerialBlas(const SerialBlas&) = delete;
  SerialBlas& operator=(const SerialBlas&) = delete;

 private:
  // Sets OpenBLAS's own thread count to one if it was built for `kind` of threads (0: any).
  static bool limit_threads(int kind) {
    if (openblas_get_parallel == nullptr || openblas_set_num_threads == nullptr) return false;
    if (kind == 0 || openblas_get_parallel() == kind) openblas_set_num_threads(1);
    return true;
  }
#if defined(_OPENMP)
  int threads_;
#endif
};

}  // namespace crocuta::kernels
