// Matrix products: on the CPU our own, on a GPU those of cuBLAS.
#pragma once

#include <cstddef>

#include "kernels/types.h"

namespace crocuta::kernels {

// The sizes of `batch` products C_i = alpha * op(A_i) op(B_i) + beta * C_i of row-major matrices:
// op(A) is [m, k], op(B) is [k, n], C is [m, n]. A is stored [m, k], or [k, m] if trans_a, with
// rows lda elements apart; B is [k, n], or [n, k] if trans_b. Matrices of a batch lie stride_a,
// stride_b, stride_c elements apart; stride_a or stride_b 0 shares one matrix. With sum_batch there
// is one C: alpha * sum_i op(A_i) op(B_i) + beta * C. Any size may be 0. k and the leading
// dimensions must be below 2^31.
struct GemmShape {
  bool trans_a = false;
  bool trans_b = false;
  std::int64_t m = 0, n = 0, k = 0;
  std::int64_t lda = 0, ldb = 0, ldc = 0;
  std::int64_t batch = 1;
  std::int64_t stride_a = 0, stride_b = 0, stride_c = 0;
  bool sum_batch = false;
};

// What is added to C: nothing, a bias per row [m], or a bias per column [n].
enum class GemmBias { none, per_row, per_column };

// Bytes of scratch memory, aligned to 64, that gemm() needs.
template <class Device, class T>
std::size_t gemm_workspace_bytes(const GemmShape& shape);

// C = alpha * op(A) op(B) + beta * C + bias, see GemmShape. `bias` may be null where there is none.
// C is not read if beta is 0. 16-bit types are multiplied and summed in float32 and rounded once;
// float32 products are never shortened (no TF32). The order of summation is fixed by the sizes.
template <class Device, class T>
void gemm(const GemmShape& shape, double alpha, const T* a, const T* b, double beta, T* c,
          GemmBias bias_kind, const T* bias, void* workspace, Stream stream);

// y[c] = sum over b and t of x[b, c, t]: the gradient of a bias per channel. x [B, C, L], y [C];
// `workspace` is aligned to 64.
template <class Device, class T>
void channel_sum(std::int64_t B, std::int64_t C, std::int64_t L, const T* x, T* y, void* workspace,
                 Stream stream);
// Bytes of scratch memory that it needs.
template <class Device, class T>
std::size_t channel_sum_workspace_bytes(std::int64_t B, std::int64_t C, std::int64_t L);

}  // namespace crocuta::kernels
