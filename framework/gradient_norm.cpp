#include "framework/gradient_norm.h"

#include <algorithm>
#include <cmath>

#include "framework/dispatch.h"
#include "framework/ops.h"
#include "framework/ops/workspace.h"
#include "kernels/optimizer.h"

namespace crocuta {

Tensor squared_norm(const Tensor& x) {
  const Tensor input = x.detach().contiguous();
  Tensor y = empty({}, {.dtype = DType::float64, .device = x.device()});
  dispatch("squared_norm", x, [&]<class Device, class T>() {
    const std::size_t bytes = kernels::squared_norm_workspace_bytes<Device, T>(x.numel());
    kernels::squared_norm<Device, T>(x.numel(), input.data<T>(), y.data<double>(),
                                     workspace(bytes, x.device()).raw_data(),
                                     current_stream(x.device()));
  });
  return y;
}

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
