#include "kernels/cuda/gemm_library.h"

#include <map>
#include <mutex>
#include <new>
#include <string>
#include <vector>

#include "kernels/error.h"

namespace crocuta::kernels {
namespace {

// Handles are dear to make, so they are kept when returned, and never destroyed: at the end of the
// program cuBLAS may be gone before we are.
struct Pool {
  std::mutex mutex;
  std::map<int, std::vector<cublasHandle_t>> idle;  // by device
};
Pool& pool() {
  static Pool* const pool = new Pool;
  return *pool;
}

}  // namespace

void check_cublas(cublasStatus_t status, const char* what) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  throw DeviceError(std::string(what) + ": cuBLAS failed with " + cublasGetStatusName(status) +
                    " (" + cublasGetStatusString(status) + ")");
}

BlasHandle::BlasHandle() {
  check_cuda(cudaGetDevice(&device_), "cudaGetDevice");
  {
    const std::lock_guard lock(pool().mutex);
    std::vector<cublasHandle_t>& idle = pool().idle[device_];
    if (!idle.empty()) {
      handle_ = idle.back();
      idle.pop_back();
      return;
    }
  }
  check_cublas(cublasCreate(&handle_), "cublasCreate");
}

BlasHandle::BlasHandle(void* workspace, Stream stream) : BlasHandle() {
  check_cublas(cublasSetStream(handle_, static_cast<cudaStream_t>(stream)), "cublasSetStream");
  // After the stream, with which cuBLAS goes back to scratch memory of its own.
  check_cublas(cublasSetWorkspace(handle_, workspace, kBlasWorkspaceBytes), "cublasSetWorkspace");
  check_cublas(cublasSetAtomicsMode(handle_, CUBLAS_ATOMICS_NOT_ALLOWED), "cublasSetAtomicsMode");
  check_cublas(cublasSetMathMode(handle_, static_cast<cublasMath_t>(
                                              CUBLAS_DEFAULT_MATH |
                                              CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION)),
               "cublasSetMathMode");
}

BlasHandle::~BlasHandle() {
  try {
    const std::lock_guard lock(pool().mutex);
    pool().idle[device_].push_back(handle_);
  } catch (const std::bad_alloc&) {
    cublasDestroy(handle_);  // no memory for the list
  }
}

}  // namespace crocuta::kernels
