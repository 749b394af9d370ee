// The arithmetic behind the emulated cuBLASLt.
#pragma once

#include <algorithm>
#include <limits>

#include "emulation/cublas_lt.h"

namespace crocuta::emulation {

// One operand of a call: `count` matrices of `columns` columns, each `rows` long.
struct Operand {
  void* data;
  cudaDataType type;
  std::int64_t rows, columns, ld, stride;

  std::size_t element_bytes() const { return type == CUDA_R_64F ? 8 : type == CUDA_R_32F ? 4 : 2; }
  char* matrix(std::int64_t i) const {
    return static_cast<char*>(data) + static_cast<std::size_t>(i * stride) * element_bytes();
  }
  bool is_valid() const {
    return ld >= std::max<std::int64_t>(rows, 1) && ld < kLimit && rows < kLimit;
  }

  static constexpr std::int64_t kLimit = std::numeric_limits<std::int32_t>::max();
};

// C = alpha * op(A) op(B) + beta * C, `count` times; see cublasLtMatmul.
struct Gemm {
  cublasOperation_t transa, transb;
  std::int64_t m, n, k, count;
  const void *alpha, *beta;
  Operand a, b, c;
  cublasComputeType_t compute;
};

// C, whose operands have been checked.
void compute(const Gemm& gemm);

}  // namespace crocuta::emulation
