#include "framework/testing/gradcheck.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "framework/tensor/autograd.h"
#include "framework/tensor/random.h"

namespace crocuta::testing {
namespace {

using Values = std::vector<double>;

struct Result {
  Tensor y;
  std::vector<Tensor> grads;  // undefined where none was asked for
};

// y and its gradients for dy. Every input is a fresh leaf; those in `wanted` ask for a gradient.
Result run(const Fn& fn, const std::vector<Tensor>& inputs, const std::vector<bool>& wanted,
           const std::function<Tensor(const Tensor& y)>& make_dy) {
  std::vector<Tensor> leaves;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    leaves.push_back(inputs[i].detach());
    if (wanted[i]) leaves.back().set_requires_grad();
  }
  Result result{fn(leaves), {}};
  if (result.y.requires_grad()) result.y.backward(make_dy(result.y));
  for (const Tensor& leaf : leaves) result.grads.push_back(leaf.grad());
  return result;
}

Tensor random_like(const Tensor& y, std::uint64_t seed) {
  return sample(y.shape(), -1, 1, seed).to(y.dtype()).to(y.device());
}

// sum dy * y as a function of `values` in place of inputs[i].
class Objective {
 public:
  Objective(const Fn& fn, const std::vector<Tensor>& inputs, std::size_t i, const Tensor& dy)
      : fn_(fn), inputs_(inputs), i_(i), dy_(dy.to_vector<double>()) {}

  // sum dy * dy/d(direction), by a difference formula of fourth order.
  double slope(const Values& at, const Values& direction, double step) const {
    const Values near_up = moved(at, direction, step), near_down = moved(at, direction, -step);
    const Values far_up = moved(at, direction, 2 * step),
                 far_down = moved(at, direction, -2 * step);
    long double total = 0;
    for (std::size_t j = 0; j < dy_.size(); ++j) {
      const long double near = static_cast<long double>(near_up[j]) - near_down[j];
      const long double far = static_cast<long double>(far_up[j]) - far_down[j];
      total += dy_[j] * (8 * near - far);
    }
    return static_cast<double>(total / (12 * static_cast<long double>(step)));
  }

 private:
  Values moved(Values at, const Values& direction, double step) const {
    for (std::size_t j = 0; j < at.size(); ++j) at[j] += step * direction[j];
    std::vector<Tensor> inputs = inputs_;
    inputs[i_] = from_vector(at, inputs_[i_].shape()).to(inputs_[i_].device());
    const NoGrad guard;
    return fn_(inputs).to_vector<double>();
  }

  const Fn& fn_;
  const std::vector<Tensor>& inputs_;
  std::size_t i_;
  Values dy_;
};

bool close(double a, double b, const GradcheckOptions& options, double scale) {
  return std::abs(a - b) <= options.atol + options.rtol * std::max(std::abs(b), scale);
}

std::string check_input(const Fn& fn, const std::vector<Tensor>& inputs, std::size_t i,
                        const Tensor& dy, const Tensor& grad, const GradcheckOptions& options) {
  const Objective objective(fn, inputs, i, dy);
  const Values at = inputs[i].to_vector<double>(), gradient = grad.to_vector<double>();
  const auto n = static_cast<std::int64_t>(at.size());
  Values direction(at.size(), 0);
  const std::int64_t checked = std::min(n, options.elements);
  for (std::int64_t k = 0; k < checked; ++k) {
    const auto j = static_cast<std::size_t>(checked < 2 ? 0 : k * (n - 1) / (checked - 1));
    direction[j] = 1;
    const double numeric = objective.slope(at, direction, options.step);
    direction[j] = 0;
    if (!close(gradient[j], numeric, options, 0)) {
      return str("input ", i, ", element ", j, ": gradient ", gradient[j], ", differences say ",
                 numeric);
    }
  }
  if (checked < n) {
    direction = sample({n}, -1, 1, options.seed + 1).to_vector<double>();
    double slope = 0, magnitude = 0;
    for (std::size_t j = 0; j < at.size(); ++j) {
      slope += gradient[j] * direction[j];
      magnitude = std::max(magnitude, std::abs(gradient[j]));
    }
    const double numeric = objective.slope(at, direction, options.step);
    if (!close(slope, numeric, options, magnitude)) {
      return str("input ", i, ", along a random direction: slope ", slope, ", differences say ",
                 numeric);
    }
  }
  return "";
}

// A description of where a and b differ by more than `tolerance`, relative to the largest |b|.
std::string differs(const std::string& what, const Tensor& a, const Tensor& b, double tolerance) {
  if (a.defined() != b.defined()) return str(what, ": one of two runs has none");
  if (!a.defined()) return "";
  if (a.shape() != b.shape() || a.dtype() != b.dtype()) {
    return str(what, ": ", a.dtype(), to_string(a.shape()), " in one run, ", b.dtype(),
               to_string(b.shape()), " in the other");
  }
  const Values va = a.to_vector<double>(), vb = b.to_vector<double>();
  double largest = 0;
  for (const double v : vb) largest = std::max(largest, std::abs(v));
  for (std::size_t j = 0; j < va.size(); ++j) {
    const bool same = va[j] == vb[j] || (std::isnan(va[j]) && std::isnan(vb[j])) ||
                      std::abs(va[j] - vb[j]) <= tolerance * largest;
    if (!same)
      return str(what, ", element ", j, ": ", va[j], " in one run, ", vb[j], " in another");
  }
  return "";
}

}  // namespace

std::string gradient_mismatch(const Fn& fn, const std::vector<Tensor>& inputs,
                              const GradcheckOptions& options) {
  std::vector<bool> wanted;
  for (const Tensor& x : inputs) wanted.push_back(x.dtype() == DType::float64);
  const auto plain_dy = [&](const Tensor& y) { return random_like(y, options.seed); };
  const Result result = run(fn, inputs, wanted, plain_dy);
  const Tensor dy = plain_dy(result.y);
  if (!result.y.requires_grad()) return "the result does not depend on any input";

  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (!wanted[i]) continue;
    const Tensor& grad = result.grads[i];
    if (!grad.defined()) return str("input ", i, ": no gradient");
    if (grad.shape() != inputs[i].shape() || grad.dtype() != inputs[i].dtype()) {
      return str("input ", i, ": gradient ", grad.dtype(), to_string(grad.shape()), " for ",
                 inputs[i].dtype(), to_string(inputs[i].shape()));
    }
    std::string mismatch = check_input(fn, inputs, i, dy, grad, options);
    if (!mismatch.empty()) return mismatch;
  }

  // Whatever the memory layout, and whoever else asks for a gradient.
  const double tolerance = options.same_bits ? 0 : 1e-12;
  std::vector<Tensor> strided;
  for (const Tensor& x : inputs) strided.push_back(scattered(x));
  const Result again =
      run(fn, strided, wanted, [&](const Tensor& y) { return scattered(plain_dy(y)); });
  std::string mismatch = differs("strided inputs: result", again.y, result.y, tolerance);
  for (std::size_t i = 0; mismatch.empty() && i < inputs.size(); ++i) {
    mismatch = differs(str("strided inputs and dy: gradient ", i), again.grads[i], result.grads[i],
                       tolerance);
  }
  for (std::size_t i = 0; mismatch.empty() && i < inputs.size(); ++i) {
    if (!wanted[i]) continue;
    std::vector<bool> only(inputs.size(), false);
    only[i] = true;
    const Result alone = run(fn, inputs, only, plain_dy);
    mismatch = differs(str("gradient ", i, " asked for alone"), alone.grads[i], result.grads[i],
                       tolerance);
  }
  return mismatch;
}

Tensor scattered(const Tensor& x) {
  const NoGrad guard;
  // Strides of a layout with dimension 0 innermost and every size doubled in memory.
  Shape strides(x.shape().size());
  std::int64_t stride = 2;
  for (std::size_t d = 0; d < strides.size(); ++d) {
    strides[d] = stride;
    stride *= x.shape()[d] + 1;
  }
  const std::int64_t offset = 3;
  const Tensor memory = empty({offset + std::max<std::int64_t>(stride, 2)}, x.options());
  memory.fill_(is_floating(x.dtype()) ? std::numeric_limits<double>::quiet_NaN()
                                      : std::numeric_limits<std::int32_t>::lowest());
  Tensor y(memory.storage(), x.shape(), strides, offset, x.dtype());
  y.copy_(x.detach());
  return y;
}

Tensor sample(Shape shape, double low, double high, std::uint64_t seed) {
  Tensor x = empty(std::move(shape), {.dtype = DType::float64});
  Generator generator{seed, 0};
  uniform_(x, low, high, generator);
  return x;
}

}  // namespace crocuta::testing
