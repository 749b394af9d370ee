#include "framework/gradient_norm.h"

#include <algorithm>
#include <cmath>

#include "framework/ops.h"

namespace crocuta {

double gradient_norm(const std::vector<Tensor>& parameters) {
  std::vector<Tensor> squares;  // read afterwards, so that a GPU is waited for once
  for (const Tensor& parameter : parameters) {
    if (parameter.grad().defined()) squares.push_back(squared_norm(parameter.grad()));
  }
  double sum = 0;
  for (const Tensor& square : squares) sum += square.item();
  return std::sqrt(sum);
}

double clip_factor(double norm, double max_norm) {
  if (!(max_norm > 0)) fail<ArgumentError>("clip_factor", "max_norm", "above 0", str(max_norm));
  return std::isfinite(norm) ? std::min(1.0, max_norm / (norm + 1e-6)) : 1.0;
}

double clip_grad_norm(const std::vector<Tensor>& parameters, double max_norm) {
  const double norm = gradient_norm(parameters);
  const double factor = clip_factor(norm, max_norm);
  if (factor == 1.0) return norm;
  const NoGrad guard;
  for (const Tensor& parameter : parameters) {
    if (parameter.grad().defined()) parameter.set_grad(affine(parameter.grad(), factor, 0));
  }
  return norm;
}

}  // namespace crocuta
