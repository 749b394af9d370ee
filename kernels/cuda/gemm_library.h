// cuBLAS: NVIDIA's, or in a build with CROCUTA_CUDA=emulated the part of it that gemm.cu uses, on
// the CPU's products.
#pragma once

#include "kernels/cuda/toolbox/device.h"
#include "kernels/types.h"

#if defined(CROCUTA_CUDA_EMULATED)
#include "emulation/cublas_v2.h"
#else
#include <cublas_v2.h>
#endif

namespace crocuta::kernels {

// Scratch memory for cuBLAS, aligned to kBlasAlignment. How it sums depends on the size, which is
// therefore always the same: what NVIDIA recommends for Hopper.
#if defined(CROCUTA_CUDA_EMULATED)
inline constexpr std::size_t kBlasWorkspaceBytes = 4096;
#else
inline constexpr std::size_t kBlasWorkspaceBytes = std::size_t{32} << 20;
#endif
inline constexpr std::size_t kBlasAlignment = 256;

// Throws DeviceError, naming `what`, unless status is CUBLAS_STATUS_SUCCESS.
void check_cublas(cublasStatus_t status, const char* what);

// A handle of cuBLAS for the current device, on loan to one thread and set up so that its results
// are reproducible: no atomics, sums of 16-bit products in float32 to the end, our scratch memory.
class BlasHandle {
 public:
  BlasHandle(void* workspace, Stream stream);
  ~BlasHandle();
  BlasHandle(const BlasHandle&) = delete;
  BlasHandle& operator=(const BlasHandle&) = delete;

  cublasHandle_t get() const { return handle_; }

 private:
  BlasHandle();

  int device_ = 0;
  cublasHandle_t handle_ = nullptr;
};

}  // namespace crocuta::kernels
