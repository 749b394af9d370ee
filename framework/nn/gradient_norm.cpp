#include "framework/nn/gradient_norm.h"

#include <algorithm>
#include <cmath>

#include "framework/ops/ops.h"

namespace crocuta {
namespace {

// The sum of squares of all gradients times `scale`.
double sum_of_squares(const std::vector<Tensor>& parameters, double scale) {
  const NoGrad guard;
  std::vector<Tensor> squares;
  for (const Tensor& parameter : parameters) {
    const Tensor grad = parameter.grad();
    if (!grad.defined()) continue;
    squares.push_back(squared_norm(scale == 1 ? grad : affine(grad.to(DType::float64), scale, 0)));
  }
  if (squares.empty()) return 0;
  // Brought together, so that a GPU is waited for once.
  const Tensor all = empty({static_cast<std::int64_t>(squares.size())}, squares[0].options());
  for (std::size_t i = 0; i < squares.size(); ++i) {
    select(all, 0, static_cast<std::int64_t>(i)).copy_(squares[i]);
  }
  double sum = 0;
  for (const double square : all.to_vector<double>()) sum += square;
  return sum;
}

}  // namespace

double gradient_norm(const std::vector<Tensor>& parameters) {
  const double sum = sum_of_squares(parameters, 1);
  if (sum >= 0x1p-900 && std::isfinite(sum)) return std::sqrt(sum);
  // Squares of float64 overflow or vanish where the norm does not.
  const double scale = sum < 1 ? 0x1p600 : 0x1p-600;
  return std::sqrt(sum_of_squares(parameters, scale)) / scale;
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
