// cuBLASLt: NVIDIA's, or in a build with CROCUTA_CUDA=emulated the part of it that is used here, on
// the CPU's BLAS.
//
// Not cublasGemmEx(): for some small products its kernels round alpha * A B to 16 bits before they add
// beta * C. Nor cuBLASLt's own addition of a bias, which does so for all sizes (both seen on an H100).
// Here the algorithm is ours to choose, and a sum is rounded once.
#pragma once

#include "kernels/cuda/toolbox/device.h"
#include "kernels/types.h"

#if defined(CROCUTA_CUDA_EMULATED)
#include "emulation/cublas_lt.h"
#else
#include <cublasLt.h>
#endif

namespace crocuta::kernels {

// Scratch memory for cuBLASLt, aligned to kBlasAlignment. How it sums depends on the size, which is
// therefore always the same: what NVIDIA recommends for Hopper.
#if defined(CROCUTA_CUDA_EMULATED)
inline constexpr std::size_t kBlasWorkspaceBytes = 4096;
#else
inline constexpr std::size_t kBlasWorkspaceBytes = std::size_t{32} << 20;
#endif
inline constexpr std::size_t kBlasAlignment = 256;

// Matrices of one type, `stride` elements from one to the next, their columns `ld` elements apart.
struct BlasMatrices {
  const void* data;
  cudaDataType type;
  std::int64_t ld, stride;
};

// `batch` products by columns: C_i = alpha * op(A_i) op(B_i) + beta * C_i, with op(A) [m, k], op(B)
// [k, n], C [m, n]; no size is 0. A and B have one type.
struct BlasProducts {
  cublasOperation_t op_a, op_b;
  std::int64_t m, n, k, batch;
  BlasMatrices a, b, c;
};

// Queues them on `stream`. alpha and beta are double for matrices in double, else float, in which
// 16-bit products are summed. `workspace` has kBlasWorkspaceBytes and is overwritten. The same sizes
// at addresses as aligned give the same bits. Throws DeviceError.
void blas_multiply(const BlasProducts& products, const void* alpha, const void* beta,
                   void* workspace, Stream stream);

}  // namespace crocuta::kernels
