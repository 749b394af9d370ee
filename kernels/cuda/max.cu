#include "kernels/max.h"

#include "kernels/cuda/toolbox/row.h"

namespace crocuta::kernels {
namespace {

template <class A>
struct Largest {
  A value;
  std::int64_t index;
};
template <class A>
__device__ inline Largest<A> shuffle_xor(Largest<A> x, int lanes) {
  return {kernels::shuffle_xor(x.value, lanes), kernels::shuffle_xor(x.index, lanes)};
}

// NaN is larger than any number; of equals, the first.
struct FirstLargest {
  template <class A>
  __device__ Largest<A> operator()(Largest<A> a, Largest<A> b) const {
    const bool a_nan = a.value != a.value, b_nan = b.value != b.value;
    if (a_nan == b_nan && (a_nan || a.value == b.value)) return a.index < b.index ? a : b;
    return a_nan || (!b_nan && a.value > b.value) ? a : b;
  }
};

template <class Plan, class T>
__global__ void __launch_bounds__(Plan::kThreads)
    max_forward_kernel(std::int64_t rows, std::int64_t n, const T* x, T* values,
                       std::int64_t* indices, bool aligned) {
  using A = accumulator_t<T>;
  for_each_row(rows, [&](std::int64_t index, bool here) {
    const Row<Plan> row(here ? n : 0, aligned);
    const auto in = row.hold(x + index * n);
    const Largest<A> none = {-static_cast<A>(HUGE_VAL), n};
    Largest<A> largest = none;
    const auto compare = [&](std::int64_t i, const auto& group) {
#pragma unroll
      for (int j = 0; j < Plan::kWidth; ++j) {
        largest = FirstLargest{}(largest, Largest<A>{static_cast<A>(group[j]), i + j});
      }
    };
    row.for_each_group(compare, in);
    largest = Plan::Team::reduce(largest, none, FirstLargest{});
    if (here && threadIdx.x == 0) {
      values[index] = x[index * n + largest.index];
      indices[index] = largest.index;
    }
  });
}

template <class Plan, class T>
__global__ void __launch_bounds__(Plan::kThreads)
    max_backward_kernel(std::int64_t rows, std::int64_t n, const std::int64_t* indices, const T* dy,
                        T* dx, bool aligned) {
  for_each_row(rows, [&](std::int64_t index, bool here) {
    if (!here) return;
    const std::int64_t largest = indices[index];
    const T gradient = dy[index], zero = T(accumulator_t<T>(0));
    Row<Plan>(n, aligned)
        .write(
            dx + index * n, [=](std::int64_t i) { return i == largest ? gradient : zero; },
            Position{});
  });
}

}  // namespace

template <class Device, class T>
void max_forward(std::int64_t rows, std::int64_t n, const T* x, T* values, std::int64_t* indices,
                 Stream stream) {
  const bool aligned = vectors_aligned(x);
  plan_rows<T>(rows, n, [&](auto plan, const LaunchConfig& config) {
    launch("max", max_forward_kernel<decltype(plan), T>, config, stream, rows, n, x, values,
           indices, aligned);
  });
}

template <class Device, class T>
void max_backward(std::int64_t rows, std::int64_t n, const std::int64_t* indices, const T* dy,
                  T* dx, Stream stream) {
  const bool aligned = vectors_aligned(dx);
  plan_rows<T>(rows, n, [&](auto plan, const LaunchConfig& config) {
    launch("max_backward", max_backward_kernel<decltype(plan), T>, config, stream, rows, n, indices,
           dy, dx, aligned);
  });
}

#define CROCUTA_INSTANTIATE(T)                                                                   \
  template void max_forward<Cuda, T>(std::int64_t, std::int64_t, const T*, T*, std::int64_t*,    \
                                     Stream);                                                    \
  template void max_backward<Cuda, T>(std::int64_t, std::int64_t, const std::int64_t*, const T*, \
                                      T*, Stream);
CROCUTA_INSTANTIATE(float)
CROCUTA_INSTANTIATE(double)
CROCUTA_INSTANTIATE(bfloat16)
CROCUTA_INSTANTIATE(float16)
#undef CROCUTA_INSTANTIATE

}  // namespace crocuta::kernels
