#include "kernels/max.h"

#include "kernels/cpu/parallel.h"
#include "kernels/cpu/row.h"

namespace crocuta::kernels {
namespace {

template <class T>
std::int64_t first_largest(std::int64_t n, const T* x) {
  using A = accumulator_t<T>;
  int has_nan = 0;
#pragma omp simd reduction(| : has_nan)
  for (std::int64_t i = 0; i < n; ++i) {
    has_nan |= static_cast<A>(x[i]) != static_cast<A>(x[i]);
  }
  const A largest = max_value<A>(n, [&](std::int64_t i) { return static_cast<A>(x[i]); });
  for (std::int64_t i = 0;; ++i) {
    const A v = static_cast<A>(x[i]);
    if (has_nan != 0 ? v != v : v == largest) return i;
  }
}

}  // namespace

template <class Device, class T>
void max_forward(std::int64_t rows, std::int64_t n, const T* x, T* values, std::int64_t* indices,
                 Stream) {
  parallel_for(rows, rows_per_task(n), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      indices[row] = first_largest(n, x + row * n);
      values[row] = x[row * n + indices[row]];
    }
  });
}

template <class Device, class T>
void max_backward(std::int64_t rows, std::int64_t n, const std::int64_t* indices, const T* dy,
                  T* dx, Stream) {
  parallel_for(rows, rows_per_task(n), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      std::fill_n(dx + row * n, n, T(accumulator_t<T>(0)));
      dx[row * n + indices[row]] = dy[row];
    }
  });
}

#define CROCUTA_INSTANTIATE(T)                                                                  \
  template void max_forward<Cpu, T>(std::int64_t, std::int64_t, const T*, T*, std::int64_t*,    \
                                    Stream);                                                    \
  template void max_backward<Cpu, T>(std::int64_t, std::int64_t, const std::int64_t*, const T*, \
                                     T*, Stream);
CROCUTA_INSTANTIATE(float)
CROCUTA_INSTANTIATE(double)
CROCUTA_INSTANTIATE(bfloat16)
CROCUTA_INSTANTIATE(float16)
#undef CROCUTA_INSTANTIATE

}  // namespace crocuta::kernels
