#include "kernels/softmax.h"

#include "kernels/cpu/parallel.h"
#include "kernels/cpu/row.h"
#include "kernels/math.h"

namespace crocuta::kernels {
namespace {

// log sum exp(x) = max + log(sum); a NaN anywhere makes the sum NaN.
template <class A>
struct LogSumExp {
  A max;
  A sum;
};

template <class T, class A = accumulator_t<T>>
LogSumExp<A> log_sum_exp(std::int64_t n, const T* x) {
  const A max = max_value<A>(n, [&](std::int64_t i) { return static_cast<A>(x[i]); });
  return {max, static_cast<A>(sum_terms<A>(
                   n, [&](std::int64_t i) { return math::exp(static_cast<A>(x[i]) - max); }))};
}

template <class F>
void for_each_row(std::int64_t rows, std::int64_t n, F&& f) {
  parallel_for(rows, rows_per_task(n), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) f(row * n);
  });
}

}  // namespace

template <class Device, class T>
void softmax_forward(std::int64_t rows, std::int64_t n, const T* x, T* y, Stream) {
  using A = accumulator_t<T>;
  for_each_row(rows, n, [&](std::int64_t offset) {
    const T* in = x + offset;
    T* out = y + offset;
    if constexpr (std::is_same_v<T, A>) {  // the exponentials can wait in y without being rounded
      const A max = max_value<A>(n, [&](std::int64_t i) { return in[i]; });
      const A scale = static_cast<A>(
          1 / sum_terms<A>(n, [&](std::int64_t i) { return out[i] = math::exp(in[i] - max); }));
#pragma omp simd
      for (std::int64_t i = 0; i < n; ++i) out[i] *= scale;
    } else {
      const auto total = log_sum_exp(n, in);
      const A max = total.max, scale = 1 / total.sum;
#pragma omp simd
      for (std::int64_t i = 0; i < n; ++i) {
        out[i] = T(math::exp(static_cast<A>(in[i]) - max) * scale);
      }
    }
  });
}

template <class Device, class T>
void softmax_backward(std::int64_t rows, std::int64_t n, const T* y, const T* dy, T* dx, Stream) {
  using A = accumulator_t<T>;
  for_each_row(rows, n, [&](std::int64_t offset) {
    const T* out = y + offset;
    const T* grad = dy + offset;
    T* result = dx + offset;
    const A dot = static_cast<A>(sum_terms<A>(
        n, [&](std::int64_t i) { return static_cast<A>(out[i]) * static_cast<A>(grad[i]); }));
#pragma omp simd
    for (std::int64_t i = 0; i < n; ++i) {
      result[i] = T(static_cast<A>(out[i]) * (static_cast<A>(grad[i]) - dot));
    }
  });
}

template <class Device, class T>
void log_softmax_forward(std::int64_t rows, std::int64_t n, const T* x, T* y, Stream) {
  using A = accumulator_t<T>;
  for_each_row(rows, n, [&](std::int64_t offset) {
    const T* in = x + offset;
    T* out = y + offset;
    const auto [max, sum] = log_sum_exp(n, in);
    const A largest = max;
    const A log_sum = math::log(sum);
#pragma omp simd
    for (std::int64_t i = 0; i < n; ++i) out[i] = T(static_cast<A>(in[i]) - largest - log_sum);
  });
}

template <class Device, class T>
void log_softmax_backward(std::int64_t rows, std::int64_t n, const T* y, const T* dy, T* dx,
                          Stream) {
  using A = accumulator_t<T>;
  for_each_row(rows, n, [&](std::int64_t offset) {
    const T* out = y + offset;
    const T* grad = dy + offset;
    T* result = dx + offset;
    const A sum =
        static_cast<A>(sum_terms<A>(n, [&](std::int64_t i) { return static_cast<A>(grad[i]); }));
#pragma omp simd
    for (std::int64_t i = 0; i < n; ++i) {
      result[i] = T(static_cast<A>(grad[i]) - math::exp(static_cast<A>(out[i])) * sum);
    }
  });
}

#define CROCUTA_INSTANTIATE(T)                                                                   \
  template void softmax_forward<Cpu, T>(std::int64_t, std::int64_t, const T*, T*, Stream);       \
  template void softmax_backward<Cpu, T>(std::int64_t, std::int64_t, const T*, const T*, T*,     \
                                         Stream);                                                \
  template void log_softmax_forward<Cpu, T>(std::int64_t, std::int64_t, const T*, T*, Stream);   \
  template void log_softmax_backward<Cpu, T>(std::int64_t, std::int64_t, const T*, const T*, T*, \
                                             Stream);
CROCUTA_INSTANTIATE(float)
CROCUTA_INSTANTIATE(double)
CROCUTA_INSTANTIATE(bfloat16)
CROCUTA_INSTANTIATE(float16)
#undef CROCUTA_INSTANTIATE

}  // namespace crocuta::kernels
