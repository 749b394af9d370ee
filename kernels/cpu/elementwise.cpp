#include "kernels/elementwise.h"

#include "kernels/cpu/strided_loop.h"
#include "kernels/functors.h"

namespace crocuta::kernels {
namespace {
constexpr std::int64_t kGrain = 8192;
}

template <class Device, class Op, class T>
void binary(const StridedShape<2>& shape, Op op, const T* a, const T* b, T* y, Stream) {
  using A = accumulator_t<T>;
  const int last = shape.dims - 1;
  const std::int64_t a_step = shape.stride[0][last], b_step = shape.stride[1][last];
  // Operand 2 of the walk is y, which is row-major.
  StridedShape<3> walk;
  walk.dims = shape.dims;
  walk.numel = shape.numel;
  std::int64_t stride = 1;
  for (int d = last; d >= 0; --d) {
    walk.size[d] = shape.size[d];
    walk.stride[0][d] = shape.stride[0][d];
    walk.stride[1][d] = shape.stride[1][d];
    walk.stride[2][d] = stride;
    stride *= shape.size[d];
  }
  for_each_run(walk, kGrain, [=](const std::int64_t* offset, std::int64_t count) {
    const T* pa = a + offset[0];
    const T* pb = b + offset[1];
    T* py = y + offset[2];
    if (a_step == 1 && b_step == 1) {
      for (std::int64_t i = 0; i < count; ++i) {
        py[i] = T(op(static_cast<A>(pa[i]), static_cast<A>(pb[i])));
      }
    } else if (a_step == 1 && b_step == 0) {
      const A value = static_cast<A>(*pb);
      for (std::int64_t i = 0; i < count; ++i) py[i] = T(op(static_cast<A>(pa[i]), value));
    } else if (a_step == 0 && b_step == 1) {
      const A value = static_cast<A>(*pa);
      for (std::int64_t i = 0; i < count; ++i) py[i] = T(op(value, static_cast<A>(pb[i])));
    } else {
      for (std::int64_t i = 0; i < count; ++i) {
        py[i] = T(op(static_cast<A>(pa[i * a_step]), static_cast<A>(pb[i * b_step])));
      }
    }
  });
}

#define CROCUTA_BINARY(Op, T) \
  template void binary<Cpu, Op, T>(const StridedShape<2>&, Op, const T*, const T*, T*, Stream);
#define CROCUTA_FLOATING(MACRO, Op) \
  MACRO(Op, float) MACRO(Op, double) MACRO(Op, bfloat16) MACRO(Op, float16)
#define CROCUTA_BINARY_FLOATING(Op) CROCUTA_FLOATING(CROCUTA_BINARY, Op)
#define CROCUTA_BINARY_ANY(Op) \
  CROCUTA_BINARY_FLOATING(Op) CROCUTA_BINARY(Op, std::int64_t) CROCUTA_BINARY(Op, std::int32_t)

CROCUTA_BINARY_FUNCTORS(CROCUTA_BINARY_FLOATING)
CROCUTA_ARITHMETIC_FUNCTORS(CROCUTA_BINARY_ANY)

}  // namespace crocuta::kernels
