#include "framework/ops/gemm.h"

#include <limits>

#include "framework/ops/workspace.h"
#include "framework/tensor/dispatch.h"

namespace crocuta {

void run_gemm(const char* op, const kernels::GemmShape& shape, const Tensor& a, const Tensor& b,
              const Tensor& c, const GemmOffsets& offsets, kernels::GemmBias bias_kind,
              const Tensor& bias) {
  for (const std::int64_t size : {shape.k, shape.lda, shape.ldb, shape.ldc}) {
    if (size > std::numeric_limits<std::int32_t>::max()) {
      fail<ShapeError>(op, "shape", "rows and columns of fewer than 2^31 elements", str(size));
    }
  }
  dispatch(op, c, [&]<class Device, class T>() {
    const Tensor scratch = workspace(kernels::gemm_workspace_bytes<Device, T>(shape), c.device());
    kernels::gemm<Device, T>(shape, 1, a.data<T>() + offsets.a, b.data<T>() + offsets.b, 0,
                             c.data<T>() + offsets.c, bias_kind,
                             bias.defined() ? bias.data<T>() : nullptr, scratch.raw_data(),
                             current_stream(c.device()));
  });
}

}  // namespace crocuta
