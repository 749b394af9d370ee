// Steps of optimizers, each one pass over a parameter.
#pragma once

#include "kernels/types.h"

namespace crocuta::kernels {

// AdamW (Loshchilov and Hutter, "Decoupled weight decay regularization", ICLR 2019):
//   g = grad_scale * grad, limited to what can be squared
//   m = beta1 m + (1 - beta1) g,   v = beta2 v + (1 - beta2) g^2
//   p = p - lr weight_decay p - lr (m / correction1) / (sqrt(v / correction2) + eps)
struct AdamWStep {
  double lr, beta1, beta2, eps, weight_decay;
  double correction1, correction2;  // 1 - beta^t at step t = 1, 2, ...
  double grad_scale;
};

// Gradient descent with momentum:  g = grad_scale * grad + weight_decay p,   m = momentum m + g,
// p = p - lr m.
struct SgdStep {
  double lr, momentum, weight_decay, grad_scale;
};

// The gradient of which AdamW keeps a square that does not overflow: one of more than 2^63 (2^511
// in double) counts as that much; an infinite one becomes NaN, so as to be noticed.
template <class A>
CROCUTA_HOST_DEVICE inline A limit_for_square(A g) {
  const A most = static_cast<A>(sizeof(A) == 4 ? 0x1p63 : 0x1p511);
  A limited = g > most ? most : g;
  limited = limited < -most ? -most : limited;
  return limited + (g - g);
}

// In place on [n] elements; state is kept, and computed with, in accumulator_t<T>. If `master` is
// not null it is the parameter in full, and `param` becomes its rounding.
template <class Device, class T>
void adamw_step(std::int64_t n, const AdamWStep& step, const T* grad, T* param,
                accumulator_t<T>* exp_avg, accumulator_t<T>* exp_avg_sq, accumulator_t<T>* master,
                Stream stream);

// The same; `momentum_buffer` may be null if step.momentum is 0.
template <class Device, class T>
void sgd_step(std::int64_t n, const SgdStep& step, const T* grad, T* param,
              accumulator_t<T>* momentum_buffer, accumulator_t<T>* master, Stream stream);

}  // namespace crocuta::kernels
