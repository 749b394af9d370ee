#include "kernels/elementwise.h"

#include "kernels/cuda/chunks.h"
#include "kernels/functors.h"

namespace crocuta::kernels {
namespace {

template <class Op, class T>
struct BinaryBody {
  Op op;
  StridedWalk<2> walk;
  const T *a, *b;
  T* y;

  template <int N>
  struct Operands {
    Vector<T, N> a, b;
  };
  template <int N>
  __device__ Operands<N> load(std::int64_t i) const {
    const auto offsets = walk.at(i);
    return {load_walked<N>(a, offsets.operand[0], walk.step(0)),
            load_walked<N>(b, offsets.operand[1], walk.step(1))};
  }
  template <int N>
  __device__ void store(std::int64_t i, const Operands<N>& x) const {
    using A = accumulator_t<T>;
    Vector<T, N> result;
#pragma unroll
    for (int k = 0; k < N; ++k) {
      result[k] = T(op(static_cast<A>(x.a[k]), static_cast<A>(x.b[k])));
    }
    store_chunk<N>(y + i, result);
  }
};

// For messages.
template <class Op>
inline constexpr const char* kFunctorName = nullptr;
#define CROCUTA_NAME(Op) \
  template <>            \
  inline constexpr const char* kFunctorName<Op> = #Op;
CROCUTA_ARITHMETIC_FUNCTORS(CROCUTA_NAME)
CROCUTA_BINARY_FUNCTORS(CROCUTA_NAME)
#undef CROCUTA_NAME

}  // namespace

template <class Device, class Op, class T>
void binary(const StridedShape<2>& shape, Op op, const T* a, const T* b, T* y, Stream stream) {
  constexpr int kWidth = kVector<T>;
  const bool in_chunks = walks_in_chunks<kWidth>(shape, 0, a) &&
                         walks_in_chunks<kWidth>(shape, 1, b) && takes_chunks<kWidth>(y);
  for_each_chunk<kWidth>(kFunctorName<Op>, shape.numel, in_chunks,
                         BinaryBody<Op, T>{op, StridedWalk<2>(shape), a, b, y}, stream);
}

#define CROCUTA_BINARY(Op, T) \
  template void binary<Cuda, Op, T>(const StridedShape<2>&, Op, const T*, const T*, T*, Stream);
#define CROCUTA_FLOATING(MACRO, Op) \
  MACRO(Op, float) MACRO(Op, double) MACRO(Op, bfloat16) MACRO(Op, float16)
#define CROCUTA_BINARY_FLOATING(Op) CROCUTA_FLOATING(CROCUTA_BINARY, Op)
#define CROCUTA_BINARY_ANY(Op) \
  CROCUTA_BINARY_FLOATING(Op) CROCUTA_BINARY(Op, std::int64_t) CROCUTA_BINARY(Op, std::int32_t)

CROCUTA_BINARY_FUNCTORS(CROCUTA_BINARY_FLOATING)
CROCUTA_ARITHMETIC_FUNCTORS(CROCUTA_BINARY_ANY)

}  // namespace crocuta::kernels
