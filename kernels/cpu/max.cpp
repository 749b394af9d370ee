#include "kernels/max.h"

#include "kernels/cpu/parallel.h"
#include "kernels/cpu/row.h"
#include "kernels/parts.h"

namespace crocuta::kernels {
namespace {

// The index of the first of the largest numbers of x [n], of the first NaN if there is one.
template <class T>
std::int64_t first_largest(std::int64_t n, const T* x) {
  using A = accumulator_t<T>;
  const auto value = [=](std::int64_t i) { return static_cast<A>(x[i]); };
  const A largest = largest_value<A>(n, value, MaxOfParts{});
  const auto found = [=](std::int64_t i) {
    const A v = value(i);
    return v == largest || v != v;
  };
  std::int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    int first = kLanes;
#pragma omp simd reduction(min : first)
    for (int k = 0; k < kLanes; ++k) first = std::min(first, found(i + k) ? k : kLanes);
    if (first < kLanes) return i + first;
  }
  // The last element needs no look: the search stays within the row whatever `largest` is.
  while (i + 1 < n && !found(i)) ++i;
  return i;
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
