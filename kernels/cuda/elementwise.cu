#include "kernels/elementwise.h"

#include "kernels/cuda/toolbox/chunks.h"
#include "kernels/functors.h"

namespace crocuta::kernels {
namespace {

// StretchA and StretchB: all neighbours in a chunk stand for one element of that operand.
template <class Op, class T, class Walk, bool StretchA, bool StretchB>
struct BinaryBody {
  Op op;
  Walk walk;
  const T *a, *b;
  T* y;

  template <int N>
  struct Operands {
    Vector<T, N> a, b;
  };
  template <int N>
  __device__ Operands<N> load(std::int64_t i) const {
    const auto offsets = walk.at(i);
    return {load_walked<N, StretchA>(a + offsets.operand[0]),
            load_walked<N, StretchB>(b + offsets.operand[1])};
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
  const auto run = [&](auto width, auto walk, auto stretch_a, auto stretch_b) {
    using Body = BinaryBody<Op, T, decltype(walk), stretch_a, stretch_b>;
    for_each_chunk<width>(kFunctorName<Op>, shape.numel, Body{op, walk, a, b, y}, stream);
  };
  using Chunk = std::integral_constant<int, kWidth>;
  const StridedWalk<2> walk(shape);
  const bool in_chunks = walks_in_chunks<kWidth>(shape, 0, a) &&
                         walks_in_chunks<kWidth>(shape, 1, b) && takes_chunks<kWidth>(y);
  const bool stretch_a = shape.stride[0][shape.dims - 1] == 0;
  const bool stretch_b = shape.stride[1][shape.dims - 1] == 0;
  constexpr std::true_type yes;
  constexpr std::false_type no;
  if (!in_chunks || (stretch_a && stretch_b)) {
    run(std::integral_constant<int, 1>{}, walk, no, no);
  } else if (is_contiguous(shape)) {
    run(Chunk{}, ContiguousWalk<2>(shape), no, no);
  } else if (stretch_a) {
    run(Chunk{}, walk, yes, no);
  } else if (stretch_b) {
    run(Chunk{}, walk, no, yes);
  } else {
    run(Chunk{}, walk, no, no);
  }
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
