// From tensors to the matrix product kernel; shared by matmul and linear.
#pragma once

#include "framework/tensor/tensor.h"
#include "kernels/gemm.h"

namespace crocuta {

// Elements between the start of a tensor and that of its first matrix.
struct GemmOffsets {
  std::int64_t a = 0, b = 0, c = 0;
};

// c = op(a) op(b) + bias, see kernels/gemm.h; `bias` may be undefined if there is none. Throws
// ShapeError, naming `op`, for sizes a BLAS cannot express.
void run_gemm(const char* op, const kernels::GemmShape& shape, const Tensor& a, const Tensor& b,
              const Tensor& c, const GemmOffsets& offsets = {},
              kernels::GemmBias bias_kind = kernels::GemmBias::none, const Tensor& bias = {});

}  // namespace crocuta
