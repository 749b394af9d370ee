#include "kernels/optimizer.h"

#include <cmath>

#include "kernels/cpu/parallel.h"

namespace crocuta::kernels {
namespace {

using std::int64_t;

constexpr int64_t kGrain = 16384;  // elements worth a thread

// The arrays of a step do not overlap, which lets loops over them be vectorised.
template <class T>
using State = accumulator_t<T>* __restrict;

template <bool Master, class T>
void adamw(int64_t n, const AdamWStep& s, const T* __restrict grad, T* __restrict param,
           State<T> exp_avg, State<T> exp_avg_sq, State<T> master) {
  using A = accumulator_t<T>;
  const A beta1 = static_cast<A>(s.beta1), beta2 = static_cast<A>(s.beta2);
  const A rest1 = static_cast<A>(1 - s.beta1), rest2 = static_cast<A>(1 - s.beta2);
  const A keep = static_cast<A>(1 - s.lr * s.weight_decay);
  const A rate = static_cast<A>(s.lr / s.correction1), eps = static_cast<A>(s.eps);
  const A root = static_cast<A>(1 / std::sqrt(s.correction2));
  const A scale = static_cast<A>(s.grad_scale);
  for (int64_t i = 0; i < n; ++i) {
    const A g = limit_for_square(scale * static_cast<A>(grad[i]));
    const A m = beta1 * exp_avg[i] + rest1 * g;
    const A v = beta2 * exp_avg_sq[i] + rest2 * g * g;
    exp_avg[i] = m;
    exp_avg_sq[i] = v;
    A p = Master ? master[i] : static_cast<A>(param[i]);
    p = p * keep - rate * m / (std::sqrt(v) * root + eps);
    if constexpr (Master) master[i] = p;
    param[i] = T(p);
  }
}

template <bool Master, bool Momentum, class T>
void sgd(int64_t n, const SgdStep& s, const T* __restrict grad, T* __restrict param,
         State<T> momentum_buffer, State<T> master) {
  using A = accumulator_t<T>;
  const A lr = static_cast<A>(s.lr), momentum = static_cast<A>(s.momentum);
  const A decay = static_cast<A>(s.weight_decay), scale = static_cast<A>(s.grad_scale);
  for (int64_t i = 0; i < n; ++i) {
    A p = Master ? master[i] : static_cast<A>(param[i]);
    A m = scale * static_cast<A>(grad[i]) + decay * p;
    if constexpr (Momentum) {
      m += momentum * momentum_buffer[i];
      momentum_buffer[i] = m;
    }
    p -= lr * m;
    if constexpr (Master) master[i] = p;
    param[i] = T(p);
  }
}
}  // namespace

template <class Device, class T>
void adamw_step(int64_t n, const AdamWStep& step, const T* grad, T* param,
                accumulator_t<T>* exp_avg, accumulator_t<T>* exp_avg_sq, accumulator_t<T>* master,
                Stream) {
  const auto run = master == nullptr ? adamw<false, T> : adamw<true, T>;
  parallel_for(n, kGrain, [&](int64_t begin, int64_t end) {
    run(end - begin, step, grad + begin, param + begin, exp_avg + begin, exp_avg_sq + begin,
        master == nullptr ? nullptr : master + begin);
  });
}

template <class Device, class T>
void sgd_step(int64_t n, const SgdStep& step, const T* grad, T* param,
              accumulator_t<T>* momentum_buffer, accumulator_t<T>* master, Stream) {
  const bool buffered = momentum_buffer != nullptr;
  const auto run = master == nullptr ? (buffered ? sgd<false, true, T> : sgd<false, false, T>)
                                     : (buffered ? sgd<true, true, T> : sgd<true, false, T>);
  parallel_for(n, kGrain, [&](int64_t begin, int64_t end) {
    run(end - begin, step, grad + begin, param + begin,
        buffered ? momentum_buffer + begin : nullptr, master == nullptr ? nullptr : master + begin);
  });
}

#define CROCUTA_INSTANTIATE(T)                                                                 \
  template void adamw_step<Cpu, T>(int64_t, const AdamWStep&, const T*, T*, accumulator_t<T>*, \
                                   accumulator_t<T>*, accumulator_t<T>*, Stream);              \
  template void sgd_step<Cpu, T>(int64_t, const SgdStep&, const T*, T*, accumulator_t<T>*,     \
                                 accumulator_t<T>*, Stream);
CROCUTA_INSTANTIATE(float)
CROCUTA_INSTANTIATE(double)
CROCUTA_INSTANTIATE(bfloat16)
CROCUTA_INSTANTIATE(float16)
#undef CROCUTA_INSTANTIATE

}  // namespace crocuta::kernels
