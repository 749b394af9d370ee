#include "kernels/layer_norm.h"

#include "kernels/cuda/row.h"
#include "kernels/cuda/sum.h"

namespace crocuta::kernels {
namespace {

template <class Plan, class T, class A = accumulator_t<T>>
__global__ void __launch_bounds__(Plan::kThreads)
    layer_norm_forward_kernel(std::int64_t rows, std::int64_t n, double eps, const T* x,
                              const T* weight, const T* bias, T* y, A* mean, A* rstd,
                              bool aligned) {
  const double count = static_cast<double>(n);
  for_each_row(rows, [&](std::int64_t index, bool here) {
    const Row<Plan> row(here ? n : 0, aligned);
    const auto in = row.hold(x + index * n);
    const A center = static_cast<A>(
        row.template sum<A>([](T value) { return static_cast<A>(value); }, in) / count);
    // The squares are those of the differences: nothing cancels when the mean is large.
    const double squares = row.template sum<A>(
        [=](T value) {
          const A d = static_cast<A>(value) - center;
          return d * d;
        },
        in);
    const A scale = static_cast<A>(1 / sqrt(squares / count + eps));
    row.write(
        y + index * n,
        [=](T value, T w, T b) {
          const A h = (static_cast<A>(value) - center) * scale;
          return h * static_cast<A>(w) + static_cast<A>(b);
        },
        in, row.stream(weight), row.stream(bias));
    if (here && threadIdx.x == 0) {
      mean[index] = center;
      rstd[index] = scale;
    }
  });
}

template <class Plan, class T, class A = accumulator_t<T>>
__global__ void __launch_bounds__(Plan::kThreads)
    layer_norm_backward_kernel(std::int64_t rows, std::int64_t n, const T* x, const T* weight,
                               const A* mean, const A* rstd, const T* dy, T* dx, bool aligned) {
  const double count = static_cast<double>(n);
  for_each_row(rows, [&](std::int64_t index, bool here) {
    const Row<Plan> row(here ? n : 0, aligned);
    const auto in = row.hold(x + index * n);
    const auto grad = row.hold(dy + index * n);
    const auto scale = row.stream(weight);
    const A center = here ? mean[index] : A(0), inverse = here ? rstd[index] : A(0);
    const auto h = [=](T value) { return (static_cast<A>(value) - center) * inverse; };
    const auto g = [](T d, T w) { return static_cast<A>(d) * static_cast<A>(w); };
    const A mean_g = static_cast<A>(row.template sum<A>(g, grad, scale) / count);
    const A mean_gh =
        static_cast<A>(row.template sum<A>([=](T value, T d, T w) { return g(d, w) * h(value); },
                                           in, grad, scale) /
                       count);
    row.write(
        dx + index * n,
        [=](T value, T d, T w) { return inverse * (g(d, w) - mean_g - h(value) * mean_gh); }, in,
        grad, scale);
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
  const Number* mean;
  const Number* rstd;
  bool aligned;

  __device__ Vector<Number, 2 * N> operator()(std::int64_t, std::int64_t row,
                                              std::int64_t group) const {
    const auto values = load_group<N>(x + row * n + group * N, aligned);
    const auto grads = load_group<N>(dy + row * n + group * N, aligned);
    const Number center = mean[row], inverse = rstd[row];
    Vector<Number, 2 * N> terms;
#pragma unroll
    for (int k = 0; k < N; ++k) {
      const Number d = static_cast<Number>(grads[k]);
      terms[k] = d * ((static_cast<Number>(values[k]) - center) * inverse);
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
                        const T* bias, T* y, accumulator_t<T>* mean, accumulator_t<T>* rstd,
                        Stream stream) {
  const bool aligned = vectors_aligned(x, weight, bias, y);
  plan_rows<T>(rows, n, [&](auto plan, const LaunchConfig& config) {
    launch("layer_norm", layer_norm_forward_kernel<decltype(plan), T>, config, stream, rows, n, eps,
           x, weight, bias, y, mean, rstd, aligned);
  });
}

template <class Device, class T>
void layer_norm_backward(std::int64_t rows, std::int64_t n, const T* x, const T* weight,
                         const accumulator_t<T>* mean, const accumulator_t<T>* rstd, const T* dy,
                         T* dx, T* dweight, T* dbias, void* workspace, Stream stream) {
  const bool aligned = vectors_aligned(x, weight, dy, dx);
  plan_rows<T>(rows, n, [&](auto plan, const LaunchConfig& config) {
    launch("layer_norm_backward", layer_norm_backward_kernel<decltype(plan), T>, config, stream,
           rows, n, x, weight, mean, rstd, dy, dx, aligned);
  });
  plan_gradients<T>(n, [&](auto width) {
    constexpr int N = decltype(width)::value;
    launch_sum("layer_norm_backward", plan_sum(1, rows, n / N, false, true),
               LoadGradients<T, N>{n, x, dy, mean, rstd, aligned},
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

#define CROCUTA_INSTANTIATE(T)                                                                 \
  template void layer_norm_forward<Cuda, T>(std::int64_t, std::int64_t, double, const T*,      \
                                            const T*, const T*, T*, accumulator_t<T>*,         \
                                            accumulator_t<T>*, Stream);                        \
  template void layer_norm_backward<Cuda, T>(std::int64_t, std::int64_t, const T*, const T*,   \
                                             const accumulator_t<T>*, const accumulator_t<T>*, \
                                             const T*, T*, T*, T*, void*, Stream);             \
  template std::size_t layer_norm_backward_workspace_bytes<Cuda, T>(std::int64_t, std::int64_t);
CROCUTA_INSTANTIATE(float)
CROCUTA_INSTANTIATE(double)
CROCUTA_INSTANTIATE(bfloat16)
CROCUTA_INSTANTIATE(float16)
#undef CROCUTA_INSTANTIATE

}  // namespace crocuta::kernels
