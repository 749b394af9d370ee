#include "kernels/cuda/unary.h"

namespace crocuta::kernels {
namespace {

template <class Op, class T>
struct UnaryBody {
  Op op;
  const T* x;
  T* y;

  template <int N>
  __device__ Vector<T, N> load(std::int64_t i) const {
    return load_chunk<N>(x + i);
  }
  template <int N>
  __device__ void store(std::int64_t i, const Vector<T, N>& chunk) const {
    Vector<T, N> result;
#pragma unroll
    for (int k = 0; k < N; ++k) {
      result[k] = T(evaluate(op, static_cast<accumulator_t<T>>(chunk[k])));
    }
    store_chunk<N>(y + i, result);
  }
};

}  // namespace

template <class Device, class Op, class T>
void unary(std::int64_t n, Op op, const T* x, T* y, Stream stream) {
  constexpr int kWidth = kVector<T>;
  for_each_chunk<kWidth>(kFunctorName<Op>, n, takes_chunks<kWidth>(x) && takes_chunks<kWidth>(y),
                         UnaryBody<Op, T>{op, x, y}, stream);
}

#define CROCUTA_UNARY(Op, T) \
  template void unary<Cuda, Op, T>(std::int64_t, Op, const T*, T*, Stream);
#define CROCUTA_UNARY_FLOATING(Op) \
  CROCUTA_UNARY(Op, float)         \
  CROCUTA_UNARY(Op, double)        \
  CROCUTA_UNARY(Op, bfloat16)      \
  CROCUTA_UNARY(Op, float16)

CROCUTA_UNARY_FUNCTORS(CROCUTA_UNARY_FLOATING)

}  // namespace crocuta::kernels
