#include "kernels/cuda/unary.h"

namespace crocuta::kernels {
namespace {

template <class Op, class T>
struct UnaryBackwardBody {
  Op op;
  const T *x, *dy;
  T* dx;

  template <int N>
  struct Operands {
    Vector<T, N> x, dy;
  };
  template <int N>
  __device__ Operands<N> load(std::int64_t i) const {
    return {load_chunk<N>(x + i), load_chunk<N>(dy + i)};
  }
  template <int N>
  __device__ void store(std::int64_t i, const Operands<N>& chunk) const {
    using A = accumulator_t<T>;
    Vector<T, N> result;
#pragma unroll
    for (int k = 0; k < N; ++k) {
      result[k] = T(evaluate(op, static_cast<A>(chunk.x[k]), static_cast<A>(chunk.dy[k])));
    }
    store_chunk<N>(dx + i, result);
  }
};

}  // namespace

template <class Device, class Op, class T>
void unary_backward(std::int64_t n, Op op, const T* x, const T* dy, T* dx, Stream stream) {
  constexpr int kWidth = kVector<T>;
  const bool in_chunks =
      takes_chunks<kWidth>(x) && takes_chunks<kWidth>(dy) && takes_chunks<kWidth>(dx);
  for_each_chunk<kWidth>(kFunctorName<Op>, n, in_chunks, UnaryBackwardBody<Op, T>{op, x, dy, dx},
                         stream);
}

#define CROCUTA_UNARY_BACKWARD(Op, T) \
  template void unary_backward<Cuda, Op, T>(std::int64_t, Op, const T*, const T*, T*, Stream);
#define CROCUTA_UNARY_BACKWARD_FLOATING(Op) \
  CROCUTA_UNARY_BACKWARD(Op, float)         \
  CROCUTA_UNARY_BACKWARD(Op, double)        \
  CROCUTA_UNARY_BACKWARD(Op, bfloat16)      \
  CROCUTA_UNARY_BACKWARD(Op, float16)

CROCUTA_UNARY_BACKWARD_FUNCTORS(CROCUTA_UNARY_BACKWARD_FLOATING)

}  // namespace crocuta::kernels
