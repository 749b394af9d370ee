#include "kernels/layer_norm.h"

#include <cmath>

#include "kernels/cpu/parallel.h"
#include "kernels/cpu/row.h"

namespace crocuta::kernels {
namespace {

// The mean of x scale [n], and its variance + eps.
template <class A>
struct Spread {
  A mean;
  double variance_eps;
};
template <class T, class A>
Spread<A> spread_of(std::int64_t n, const T* x, double eps, A scale) {
  const auto value = [=](std::int64_t i) { return static_cast<A>(x[i]) * scale; };
  const double count = static_cast<double>(n), factor = static_cast<double>(scale);
  const A mean = static_cast<A>(sum_terms<A>(n, value) / count);
  const double squares = sum_terms<A>(n, [=](std::int64_t i) {
    const A d = value(i) - mean;
    return d * d;
  });
  return {mean, squares / count + eps * factor * factor};
}

template <class T, class A = accumulator_t<T>>
RowMoments<A> moments_of(std::int64_t n, const T* x, double eps) {
  A scale = 1;
  Spread<A> spread = spread_of(n, x, eps, scale);
  if (!in_range<A>(spread.variance_eps)) {
    scale = scale_for(
        max_value<A>(n, [=](std::int64_t i) { return std::fabs(static_cast<A>(x[i])); }), eps);
    spread = spread_of(n, x, eps, scale);
  }
  return {scale, spread.mean, static_cast<A>(1 / std::sqrt(spread.variance_eps))};
}

}  // namespace

template <class Device, class T>
void layer_norm_forward(std::int64_t rows, std::int64_t n, double eps, const T* x, const T* weight,
                        const T* bias, T* y, RowMoments<accumulator_t<T>>* moments, Stream) {
  using A = accumulator_t<T>;
  parallel_for(rows, rows_per_task(n), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      const T* in = x + row * n;
      T* out = y + row * n;
      const RowMoments<A> m = moments[row] = moments_of(n, in, eps);
#pragma omp simd
      for (std::int64_t i = 0; i < n; ++i) {
        const A h = (static_cast<A>(in[i]) * m.scale - m.mean) * m.rstd;
        out[i] = T(h * static_cast<A>(weight[i]) + static_cast<A>(bias[i]));
      }
    }
  });
}

namespace {

// Rows are taken in slices of this many; each slice sums dweight and dbias for itself.
constexpr std::int64_t kSlice = 128;
std::int64_t slices_of(std::int64_t rows) {
  return (rows + kSlice - 1) / kSlice;
}

// dx of one row; adds the row's dweight and dbias to the slice's.
template <class T, class A>
void backward_row(std::int64_t n, const T* x, const T* weight, RowMoments<A> m, const T* dy, T* dx,
                  A* dweight, A* dbias) {
  const auto h = [=](std::int64_t i) { return (static_cast<A>(x[i]) * m.scale - m.mean) * m.rstd; };
  const auto g = [=](std::int64_t i) { return static_cast<A>(dy[i]) * static_cast<A>(weight[i]); };
  const double count = static_cast<double>(n);
  const A mean_g = static_cast<A>(sum_terms<A>(n, g) / count);
  const A mean_gh =
      static_cast<A>(sum_terms<A>(n, [&](std::int64_t i) { return g(i) * h(i); }) / count);
#pragma omp simd
  for (std::int64_t i = 0; i < n; ++i) {
    const A hi = h(i);
    dx[i] = T(m.rstd * (g(i) - mean_g - hi * mean_gh) * m.scale);
    dweight[i] += static_cast<A>(dy[i]) * hi;
    dbias[i] += static_cast<A>(dy[i]);
  }
}

}  // namespace

template <class Device, class T>
void layer_norm_backward(std::int64_t rows, std::int64_t n, const T* x, const T* weight,
                         const RowMoments<accumulator_t<T>>* moments, const T* dy, T* dx,
                         T* dweight, T* dbias, void* workspace, Stream) {
  using A = accumulator_t<T>;
  const std::int64_t slices = slices_of(rows);
  A* partials = static_cast<A*>(workspace);  // [slices, 2, n]: dweight, dbias
  parallel_for(slices, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t slice = begin; slice < end; ++slice) {
      A* dw = partials + slice * 2 * n;
      A* db = dw + n;
      std::fill(dw, dw + 2 * n, A(0));
      const std::int64_t last = std::min(rows, (slice + 1) * kSlice);
      for (std::int64_t row = slice * kSlice; row < last; ++row) {
        backward_row(n, x + row * n, weight, moments[row], dy + row * n, dx + row * n, dw, db);
      }
    }
  });
  // Slices in order, column by column.
  parallel_for(n, rows_per_task(2 * slices), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      double dw = 0, db = 0;
      for (std::int64_t slice = 0; slice < slices; ++slice) {
        dw += static_cast<double>(partials[slice * 2 * n + i]);
        db += static_cast<double>(partials[slice * 2 * n + n + i]);
      }
      dweight[i] = T(static_cast<A>(dw));
      dbias[i] = T(static_cast<A>(db));
    }
  });
}

template <class Device, class T>
std::size_t layer_norm_backward_workspace_bytes(std::int64_t rows, std::int64_t n) {
  return static_cast<std::size_t>(slices_of(rows) * 2 * n) * sizeof(accumulator_t<T>);
}

#define CROCUTA_INSTANTIATE(T)                                                                     \
  template void layer_norm_forward<Cpu, T>(std::int64_t, std::int64_t, double, const T*, const T*, \
                                           const T*, T*, RowMoments<accumulator_t<T>>*, Stream);   \
  template void layer_norm_backward<Cpu, T>(std::int64_t, std::int64_t, const T*, const T*,        \
                                            const RowMoments<accumulator_t<T>>*, const T*, T*, T*, \
                                            T*, void*, Stream);                                    \
  template std::size_t layer_norm_backward_workspace_bytes<Cpu, T>(std::int64_t, std::int64_t);
CROCUTA_INSTANTIATE(float)
CROCUTA_INSTANTIATE(double)
CROCUTA_INSTANTIATE(bfloat16)
CROCUTA_INSTANTIATE(float16)
#undef CROCUTA_INSTANTIATE

}  // namespace crocuta::kernels
