#include "kernels/layer_norm.h"

#include "kernels/cuda/toolbox/row.h"
#include "kernels/cuda/toolbox/sum.h"

namespace crocuta::kernels {
namespace {

// The mean of a row of n numbers times scale, and its variance + eps.
template <class A>
struct Spread {
  A mean;
  double variance_eps;
};
template <class A, class Plan, class Operand>
__device__ Spread<A> spread_of(const Row<Plan>& row, std::int64_t n, const Operand& in, double eps,
                               A scale) {
  const double count = static_cast<double>(n), factor = static_cast<double>(scale);
  const A mean = static_cast<A>(
      row.template sum<A>([=](auto value) { return static_cast<A>(value) * scale; }, in) / count);
  // The squares are those of the differences: nothing cancels when the mean is large.
  const double squares = row.template sum<A>(
      [=](auto value) {
        const A d = static_cast<A>(value) * scale - mean;
        return d * d;
      },
      in);
  return {mean, squares / count + eps * factor * factor};
}

// All threads of the block must come here.
template <class A, class Plan, class Operand>
__device__ RowMoments<A> moments_of(const Row<Plan>& row, std::int64_t n, const Operand& in,
                                    double eps, bool here) {
  A scale = 1;
  Spread<A> spread = spread_of(row, n, in, eps, scale);
  const bool wrong = here && !in_range<A>(spread.variance_eps);
  // Rows that share a warp go together; a block has one row, or no barriers in its reductions.
  if (__any_sync(0xffffffffu, wrong)) {
    const A largest =
        row.template max<A>([](auto value) { return std::fabs(static_cast<A>(value)); }, in);
    scale = wrong ? scale_for(largest, eps) : scale;
    spread = spread_of(row, n, in, eps, scale);
  }
  return {scale, spread.mean, static_cast<A>(1 / sqrt(spread.variance_eps))};
}

template <class Plan, class T, class A = accumulator_t<T>>
__global__ void __launch_bounds__(Plan::kThreads)
    layer_norm_forward_kernel(std::int64_t rows, std::int64_t n, double eps, const T* x,
                              const T* weight, const T* bias, T* y, RowMoments<A>* moments,
                              bool aligned) {
  for_each_row(rows, [&](std::int64_t index, bool here) {
    const Row<Plan> row(here ? n : 0, aligned);
    const auto in = row.hold(x + index * n);
    const RowMoments<A> m = moments_of<A>(row, n, in, eps, here);
    row.write(
        y + index * n,
        [=](T value, T w, T b) {
          const A h = (static_cast<A>(value) * m.scale - m.mean) * m.rstd;
          return h * static_cast<A>(w) + static_cast<A>(b);
        },
        in, row.stream(weight), row.stream(bias));
    if (here && threadIdx.x == 0) moments[index] = m;
  });
}

template <class Plan, class T, class A = accumulator_t<T>>
__global__ void __launch_bounds__(Plan::kThreads)
    layer_norm_backward_kernel(std::int64_t rows, std::int64_t n, const T* x, const T* weight,
                               const RowMoments<A>* moments, const T* dy, T* dx, bool aligned) {
  const double count = static_cast<double>(n);
  for_each_row(rows, [&](std::int64_t index, bool here) {
    const Row<Plan> row(here ? n : 0, aligned);
    const auto in = row.hold(x + index * n);
    const auto grad = row.hold(dy + index * n);
    const auto scale = row.stream(weight);
    const RowMoments<A> m = here ? moments[index] : RowMoments<A>{};
    const auto h = [=](T value) { return (static_cast<A>(value) * m.scale - m.mean) * m.rstd; };
    const auto g = [](T d, T w) { return static_cast<A>(d) * static_cast<A>(w); };
    const A mean_g = static_cast<A>(row.template sum<A>(g, grad, scale) / count);
    const A mean_gh =
        static_cast<A>(row.template sum<A>([=](T value, T d, T w) { return g(d, w) * h(value); },
                                           in, grad, scale) /
                       count);
    row.write(
        dx + index * n,
        [=](T value, T d, T w) {
          return m.rstd * (g(d, w) - mean_g - h(value) * mean_gh) * m.scale;
        },
        in, grad, scale);
  });
}

// The terms of dweight and dbias in one row, for N columns: dy h, then dy.
template <class T, int N>
struct LoadGradients {
  using Number = accumulator_t<T>;
  static constexpr int kNumbers = 2 * N;
  std::int64_t n;
  const T* x;
  const T* dy;
  const RowMoments<Number>* moments;
  bool aligned;

  struct Raw {
    Vector<T, N> values, grads;
    RowMoments<Number> moments;
  };
  __device__ Raw raw(std::int64_t, std::int64_t row, std::int64_t group) const {
    return {load_group<N>(x + row * n + group * N, aligned),
            load_group<N>(dy + row * n + group * N, aligned), moments[row]};
  }
  __device__ Vector<Number, 2 * N> terms(const Raw& raw) const {
    const RowMoments<Number>& m = raw.moments;
    Vector<Number, 2 * N> terms;
#pragma unroll
    for (int k = 0; k < N; ++k) {
      const Number d = static_cast<Number>(raw.grads[k]);
      terms[k] = d * ((static_cast<Number>(raw.values[k]) * m.scale - m.mean) * m.rstd);
      terms[N + k] = d;
    }
    return terms;
  }
};
template <class T, int N>
struct WriteGradients {
  T* dweight;
  T* dbias;

  __device__ void operator()(std::int64_t i, double total) const {
    const std::int64_t group = i / (2 * N);
    const int k = static_cast<int>(i % (2 * N));
    T* const to = k < N ? dweight : dbias;
    to[group * N + k % N] = T(static_cast<accumulator_t<T>>(total));
  }
};

// Calls run(N) with how many columns a thread takes, as an integral_constant.
template <class T, class Run>
void plan_gradients(std::int64_t n, Run run) {
  constexpr int N = kVector<T>;
  if (n % N == 0) {
    run(std::integral_constant<int, N>{});
  } else {
    run(std::integral_constant<int, 1>{});
  }
}

}  // namespace

template <class Device, class T>
void layer_norm_forward(std::int64_t rows, std::int64_t n, double eps, const T* x, const T* weight,
                        const T* bias, T* y, RowMoments<accumulator_t<T>>* moments, Stream stream) {
  const bool aligned = vectors_aligned(x, weight, bias, y);
  plan_rows<T>(rows, n, [&](auto plan, const LaunchConfig& config) {
    launch("layer_norm", layer_norm_forward_kernel<decltype(plan), T>, config, stream, rows, n, eps,
           x, weight, bias, y, moments, aligned);
  });
}

template <class Device, class T>
void layer_norm_backward(std::int64_t rows, std::int64_t n, const T* x, const T* weight,
                         const RowMoments<accumulator_t<T>>* moments, const T* dy, T* dx,
                         T* dweight, T* dbias, void* workspace, Stream stream) {
  const bool aligned = vectors_aligned(x, weight, dy, dx);
  plan_rows<T>(rows, n, [&](auto plan, const LaunchConfig& config) {
    launch("layer_norm_backward", layer_norm_backward_kernel<decltype(plan), T>, config, stream,
           rows, n, x, weight, moments, dy, dx, aligned);
  });
  plan_gradients<T>(n, [&](auto width) {
    constexpr int N = decltype(width)::value;
    launch_sum("layer_norm_backward", plan_sum(1, rows, n / N, false, true),
               LoadGradients<T, N>{n, x, dy, moments, aligned},
               WriteGradients<T, N>{dweight, dbias}, workspace, stream);
  });
}
template <class Device, class T>
std::size_t layer_norm_backward_workspace_bytes(std::int64_t rows, std::int64_t n) {
  std::size_t bytes = 0;
  plan_gradients<T>(n, [&](auto width) {
    constexpr int N = decltype(width)::value;
    bytes = sum_bytes<LoadGradients<T, N>>(plan_sum(1, rows, n / N, false, true));
  });
  return bytes;
}

#define CROCUTA_INSTANTIATE(T)                                                                     \
  template void layer_norm_forward<Cuda, T>(std::int64_t, std::int64_t, double, const T*,          \
                                            const T*, const T*, T*, RowMoments<accumulator_t<T>>*, \
                                            Stream);                                               \
  template void layer_norm_backward<Cuda, T>(std::int64_t, std::int64_t, const T*, const T*,       \
                                             const RowMoments<accumulator_t<T>>*, const T*, T*,    \
                                             T*, T*, void*, Stream);                               \
  template std::size_t layer_norm_backward_workspace_bytes<Cuda, T>(std::int64_t, std::int64_t);
CROCUTA_INSTANTIATE(float)
CROCUTA_INSTANTIATE(double)
CROCUTA_INSTANTIATE(bfloat16)
CROCUTA_INSTANTIATE(float16)
#undef CROCUTA_INSTANTIATE

}  // namespace crocuta::kernels
