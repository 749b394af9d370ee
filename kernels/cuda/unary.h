// The functors of kernels/unary_functors.h on the GPU, chunk by chunk.
#pragma once

#include "kernels/cuda/toolbox/chunks.h"
#include "kernels/elementwise.h"
#include "kernels/unary_functors.h"

namespace crocuta::kernels {

// op(x...). A GPU's sin and cos take every argument; the CPU's, which run in its stead under
// emulation, leave the large ones to `slow`.
template <class Op, class A, class... Rest>
__device__ inline A evaluate(const Op& op, A x, Rest... rest) {
#if !defined(__CUDA_ARCH__)
  if constexpr (std::is_base_of_v<SineLimit, Op> && std::is_same_v<A, float>) {
    if (!Op::fast(x)) return Op::slow(x, rest...);
  }
#endif
  return op(x, rest...);
}

// For messages.
template <class Op>
inline constexpr const char* kFunctorName = nullptr;
#define CROCUTA_NAME(Op) \
  template <>            \
  inline constexpr const char* kFunctorName<Op> = #Op;
CROCUTA_UNARY_FUNCTORS(CROCUTA_NAME)
CROCUTA_UNARY_BACKWARD_FUNCTORS(CROCUTA_NAME)
#undef CROCUTA_NAME

}  // namespace crocuta::kernels
