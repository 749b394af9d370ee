#include <algorithm>

#include "kernels/cpu/parallel.h"
#include "kernels/elementwise.h"
#include "kernels/unary_functors.h"

namespace crocuta::kernels {
namespace {

// Threads get whole blocks, so that the same elements fall to the vector loop and to the scalar
// loop after it at any thread count.
constexpr std::int64_t kBlock = 512;
constexpr std::int64_t kBlocksPerTask = 16;

template <class Op, class A>
constexpr bool has_slow_part = std::is_same_v<A, float>&& requires {
  &Op::slow;
};

// apply(begin, end) on ranges that cover [0, n), and repair(i) where the functor is slow.
template <class Op, class T, class Apply, class Repair>
void for_each_block(std::int64_t n, const T* x, Apply&& apply, Repair&& repair) {
  using A = accumulator_t<T>;
  const std::int64_t blocks = (n + kBlock - 1) / kBlock;
  parallel_for(blocks, kBlocksPerTask, [&](std::int64_t first, std::int64_t last) {
    const std::int64_t end = std::min(n, last * kBlock);
    if constexpr (!has_slow_part<Op, A>) {
      apply(first * kBlock, end);
    } else {
      for (std::int64_t begin = first * kBlock; begin < end; begin += kBlock) {
        const std::int64_t stop = std::min(end, begin + kBlock);
        int slow = 0;
#pragma omp simd reduction(| : slow)
        for (std::int64_t i = begin; i < stop; ++i) slow |= !Op::fast(static_cast<A>(x[i]));
        if (slow == 0) {
          apply(begin, stop);
          continue;
        }
        for (std::int64_t i = begin; i < stop; ++i) {
          if (Op::fast(static_cast<A>(x[i]))) {
            apply(i, i + 1);
          } else {
            repair(i);
          }
        }
      }
    }
  });
}

}  // namespace

template <class Device, class Op, class T>
void unary(std::int64_t n, Op op, const T* x, T* y, Stream) {
  using A = accumulator_t<T>;
  for_each_block<Op>(
      n, x,
      [=](std::int64_t begin, std::int64_t end) {
#pragma omp simd
        for (std::int64_t i = begin; i < end; ++i) y[i] = T(op(static_cast<A>(x[i])));
      },
      [=](std::int64_t i) {
        if constexpr (has_slow_part<Op, A>) y[i] = T(Op::slow(static_cast<A>(x[i])));
      });
}

template <class Device, class Op, class T>
void unary_backward(std::int64_t n, Op op, const T* x, const T* dy, T* dx, Stream) {
  using A = accumulator_t<T>;
  for_each_block<Op>(
      n, x,
      [=](std::int64_t begin, std::int64_t end) {
#pragma omp simd
        for (std::int64_t i = begin; i < end; ++i) {
          dx[i] = T(op(static_cast<A>(x[i]), static_cast<A>(dy[i])));
        }
      },
      [=](std::int64_t i) {
        if constexpr (has_slow_part<Op, A>) {
          dx[i] = T(Op::slow(static_cast<A>(x[i]), static_cast<A>(dy[i])));
        }
      });
}

#define CROCUTA_UNARY(Op, T) \
  template void unary<Cpu, Op, T>(std::int64_t, Op, const T*, T*, Stream);
#define CROCUTA_UNARY_BACKWARD(Op, T) \
  template void unary_backward<Cpu, Op, T>(std::int64_t, Op, const T*, const T*, T*, Stream);
#define CROCUTA_FLOATING(MACRO, Op) \
  MACRO(Op, float) MACRO(Op, double) MACRO(Op, bfloat16) MACRO(Op, float16)
#define CROCUTA_UNARY_FLOATING(Op) CROCUTA_FLOATING(CROCUTA_UNARY, Op)
#define CROCUTA_UNARY_BACKWARD_FLOATING(Op) CROCUTA_FLOATING(CROCUTA_UNARY_BACKWARD, Op)

CROCUTA_UNARY_FUNCTORS(CROCUTA_UNARY_FLOATING)
CROCUTA_UNARY_BACKWARD_FUNCTORS(CROCUTA_UNARY_BACKWARD_FLOATING)

}  // namespace crocuta::kernels
