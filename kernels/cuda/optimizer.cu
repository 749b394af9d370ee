// Operation for operation as kernels/cpu/optimizer.cpp, and compiled like it without fused
// multiply-adds: the same step on a CPU and on a GPU gives the same bits.
#include "kernels/optimizer.h"

#include <cmath>

#include "kernels/cuda/toolbox/chunks.h"

namespace crocuta::kernels {
namespace {

// The parameter, in accumulator_t<T>: `master` where there is one.
template <int N, class T>
__device__ Vector<accumulator_t<T>, N> load_parameter(const T* param,
                                                      const accumulator_t<T>* master,
                                                      std::int64_t i) {
  using A = accumulator_t<T>;
  if (master != nullptr) return load_chunk<N>(master + i);
  const Vector<T, N> chunk = load_chunk<N>(param + i);
  Vector<A, N> p;
#pragma unroll
  for (int k = 0; k < N; ++k) p[k] = static_cast<A>(chunk[k]);
  return p;
}

template <int N, class T>
__device__ void store_parameter(T* param, accumulator_t<T>* master, std::int64_t i,
                                const Vector<accumulator_t<T>, N>& p) {
  if (master != nullptr) store_chunk<N>(master + i, p);
  Vector<T, N> chunk;
#pragma unroll
  for (int k = 0; k < N; ++k) chunk[k] = T(p[k]);
  store_chunk<N>(param + i, chunk);
}

template <class T>
struct AdamWBody {
  using A = accumulator_t<T>;
  A beta1, beta2, rest1, rest2, keep, rate, eps, root, scale;
  const T* grad;
  T* param;
  A *exp_avg, *exp_avg_sq, *master;

  template <int N>
  struct Loaded {
    Vector<T, N> grad;
    Vector<A, N> p, m, v;
  };
  template <int N>
  __device__ Loaded<N> load(std::int64_t i) const {
    return {load_chunk<N>(grad + i), load_parameter<N>(param, master, i),
            load_chunk<N>(exp_avg + i), load_chunk<N>(exp_avg_sq + i)};
  }
  template <int N>
  __device__ void store(std::int64_t i, const Loaded<N>& old) const {
    Vector<A, N> p, m, v;
#pragma unroll
    for (int k = 0; k < N; ++k) {
      const A g = limit_for_square(scale * static_cast<A>(old.grad[k]));
      m[k] = beta1 * old.m[k] + rest1 * g;
      v[k] = beta2 * old.v[k] + rest2 * g * g;
      p[k] = old.p[k] * keep - rate * m[k] / (std::sqrt(v[k]) * root + eps);
    }
    store_chunk<N>(exp_avg + i, m);
    store_chunk<N>(exp_avg_sq + i, v);
    store_parameter<N>(param, master, i, p);
  }
};

template <class T>
struct SgdBody {
  using A = accumulator_t<T>;
  A lr, momentum, decay, scale;
  const T* grad;
  T* param;
  A *momentum_buffer, *master;

  template <int N>
  struct Loaded {
    Vector<T, N> grad;
    Vector<A, N> p, m;
  };
  template <int N>
  __device__ Loaded<N> load(std::int64_t i) const {
    Vector<A, N> m = {};
    if (momentum_buffer != nullptr) m = load_chunk<N>(momentum_buffer + i);
    return {load_chunk<N>(grad + i), load_parameter<N>(param, master, i), m};
  }
  template <int N>
  __device__ void store(std::int64_t i, const Loaded<N>& old) const {
    Vector<A, N> p, m;
#pragma unroll
    for (int k = 0; k < N; ++k) {
      m[k] = scale * static_cast<A>(old.grad[k]) + decay * old.p[k];
      if (momentum_buffer != nullptr) m[k] += momentum * old.m[k];
      p[k] = old.p[k] - lr * m[k];
    }
    if (momentum_buffer != nullptr) store_chunk<N>(momentum_buffer + i, m);
    store_parameter<N>(param, master, i, p);
  }
};

// An absent array takes any chunks: its address is null.
template <int N, class... T>
bool all_take_chunks(const T*... pointers) {
  return (takes_chunks<N>(pointers) && ...);
}

}  // namespace

template <class Device, class T>
void adamw_step(std::int64_t n, const AdamWStep& step, const T* grad, T* param,
                accumulator_t<T>* exp_avg, accumulator_t<T>* exp_avg_sq, accumulator_t<T>* master,
                Stream stream) {
  using A = accumulator_t<T>;
  constexpr int kWidth = kVector<T>;
  AdamWBody<T> body;
  body.beta1 = static_cast<A>(step.beta1);
  body.beta2 = static_cast<A>(step.beta2);
  body.rest1 = static_cast<A>(1 - step.beta1);
  body.rest2 = static_cast<A>(1 - step.beta2);
  body.keep = static_cast<A>(1 - step.lr * step.weight_decay);
  body.rate = static_cast<A>(step.lr / step.correction1);
  body.eps = static_cast<A>(step.eps);
  body.root = static_cast<A>(1 / std::sqrt(step.correction2));
  body.scale = static_cast<A>(step.grad_scale);
  body.grad = grad;
  body.param = param;
  body.exp_avg = exp_avg;
  body.exp_avg_sq = exp_avg_sq;
  body.master = master;
  for_each_chunk<kWidth>("adamw_step", n,
                         all_take_chunks<kWidth>(grad, param, exp_avg, exp_avg_sq, master), body,
                         stream);
}

template <class Device, class T>
void sgd_step(std::int64_t n, const SgdStep& step, const T* grad, T* param,
              accumulator_t<T>* momentum_buffer, accumulator_t<T>* master, Stream stream) {
  using A = accumulator_t<T>;
  constexpr int kWidth = kVector<T>;
  const SgdBody<T> body = {static_cast<A>(step.lr),
                           static_cast<A>(step.momentum),
                           static_cast<A>(step.weight_decay),
                           static_cast<A>(step.grad_scale),
                           grad,
                           param,
                           momentum_buffer,
                           master};
  for_each_chunk<kWidth>(
      "sgd_step", n, all_take_chunks<kWidth>(grad, param, momentum_buffer, master), body, stream);
}

#define CROCUTA_INSTANTIATE(T)                                                                   \
  template void adamw_step<Cuda, T>(std::int64_t, const AdamWStep&, const T*, T*,                \
                                    accumulator_t<T>*, accumulator_t<T>*, accumulator_t<T>*,     \
                                    Stream);                                                     \
  template void sgd_step<Cuda, T>(std::int64_t, const SgdStep&, const T*, T*, accumulator_t<T>*, \
                                  accumulator_t<T>*, Stream);
CROCUTA_INSTANTIATE(float)
CROCUTA_INSTANTIATE(double)
CROCUTA_INSTANTIATE(bfloat16)
CROCUTA_INSTANTIATE(float16)
#undef CROCUTA_INSTANTIATE

}  // namespace crocuta::kernels
