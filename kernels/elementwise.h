// Element-by-element kernels. A function is a functor on accumulator values, written once for all
// devices in kernels/functors.h and kernels/unary_functors.h; the kernels below apply it and are
// instantiated per device for everything in the functor lists there.
#pragma once

#include "kernels/strided.h"

namespace crocuta::kernels {

// y[i] = op(x[i]). x, y [n], row-major; y may be x.
template <class Device, class Op, class T>
void unary(std::int64_t n, Op op, const T* x, T* y, Stream stream);

// dx[i] = op(x[i], dy[i]), where for some functors x stands for the result y. x, dy, dx [n],
// row-major; dx may be x or dy.
template <class Device, class Op, class T>
void unary_backward(std::int64_t n, Op op, const T* x, const T* dy, T* dx, Stream stream);

// y = op(a, b). Operands 0 and 1 of `shape` are a and b; y is row-major in shape's order and may be
// a or b where that one is contiguous.
template <class Device, class Op, class T>
void binary(const StridedShape<2>& shape, Op op, const T* a, const T* b, T* y, Stream stream);

}  // namespace crocuta::kernels
