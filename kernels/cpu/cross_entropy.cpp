#include "kernels/cross_entropy.h"

#include "kernels/cpu/parallel.h"
#include "kernels/cpu/row.h"
#include "kernels/math.h"

namespace crocuta::kernels {

template <class Device, class T>
void cross_entropy_forward(std::int64_t rows, std::int64_t n, std::int64_t ignored, const T* x,
                           const std::int64_t* targets, accumulator_t<T>* loss,
                           accumulator_t<T>* max, accumulator_t<T>* log_sum, Stream) {
  using A = accumulator_t<T>;
  parallel_for(rows, rows_per_task(n), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      loss[row] = max[row] = log_sum[row] = 0;
      if (targets[row] == ignored) continue;
      const T* in = x + row * n;
      const A largest = max_value<A>(n, [&](std::int64_t i) { return static_cast<A>(in[i]); });
      const A sum = static_cast<A>(sum_terms<A>(
          n, [&](std::int64_t i) { return math::exp(static_cast<A>(in[i]) - largest); }));
      max[row] = largest;
      log_sum[row] = math::log(sum);
      loss[row] = (largest - static_cast<A>(in[targets[row]])) + log_sum[row];
    }
  });
}

template <class Device, class T>
void cross_entropy_backward(std::int64_t rows, std::int64_t n, std::int64_t ignored, double scale,
                            const T* x, const std::int64_t* targets, const accumulator_t<T>* max,
                            const accumulator_t<T>* log_sum, const accumulator_t<T>* dy, T* dx,
                            Stream) {
  using A = accumulator_t<T>;
  const A factor = static_cast<A>(static_cast<double>(*dy) * scale);
  parallel_for(rows, rows_per_task(n), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      const T* in = x + row * n;
      T* out = dx + row * n;
      if (targets[row] == ignored) {
        std::fill(out, out + n, T(0.0f));
        continue;
      }
      const A largest = max[row], log_of_sum = log_sum[row];
#pragma omp simd
      for (std::int64_t i = 0; i < n; ++i) {
        out[i] = T(factor * math::exp(static_cast<A>(in[i]) - largest - log_of_sum));
      }
      const std::int64_t t = targets[row];
      out[t] = T(factor * (math::exp(static_cast<A>(in[t]) - largest - log_of_sum) - 1));
    }
  });
}

template <class Device, class A>
void scaled_sum(std::int64_t n, double scale, const A* x, A* result, void*, Stream) {
  *result = static_cast<A>(scale * sum_terms<A>(n, [&](std::int64_t i) { return x[i]; }));
}

template <class Device, class A>
std::size_t scaled_sum_workspace_bytes(std::int64_t) {
  return 0;
}

#define CROCUTA_INSTANTIATE(T)                                                                    \
  template void cross_entropy_forward<Cpu, T>(std::int64_t, std::int64_t, std::int64_t, const T*, \
                                              const std::int64_t*, accumulator_t<T>*,             \
                                              accumulator_t<T>*, accumulator_t<T>*, Stream);      \
  template void cross_entropy_backward<Cpu, T>(                                                   \
      std::int64_t, std::int64_t, std::int64_t, double, const T*, const std::int64_t*,            \
      const accumulator_t<T>*, const accumulator_t<T>*, const accumulator_t<T>*, T*, Stream);
CROCUTA_INSTANTIATE(float)
CROCUTA_INSTANTIATE(double)
CROCUTA_INSTANTIATE(bfloat16)
CROCUTA_INSTANTIATE(float16)
#undef CROCUTA_INSTANTIATE
template void scaled_sum<Cpu, float>(std::int64_t, double, const float*, float*, void*, Stream);
template void scaled_sum<Cpu, double>(std::int64_t, double, const double*, double*, void*, Stream);
template std::size_t scaled_sum_workspace_bytes<Cpu, float>(std::int64_t);
template std::size_t scaled_sum_workspace_bytes<Cpu, double>(std::int64_t);

}  // namespace crocuta::kernels
