#include "tests/layers/layer_checks.h"

#include <algorithm>
#include <cmath>

#include "framework/ops/ops.h"
#include "framework/tensor/autograd.h"
#include "framework/tensor/random.h"
#include "tests/support/catch.h"
#include "tests/support/check_op.h"

namespace crocuta::test {

std::unique_ptr<Layer> layer_from_json(const std::string& name, const std::string& json) {
  return make_layer(name, Config::parse(json));
}

void randomize(const Module& module, std::uint64_t seed) {
  Generator generator{seed, 0};
  for (const NamedTensor& p : module.named_parameters()) {
    const bool frequency = p.name == "freq" || p.name.ends_with(".freq");
    normal_(p.tensor, frequency ? 3 : 0, frequency ? 0.3 : 0.4, generator);
  }
}

bool close(const std::vector<double>& a, const std::vector<double>& b, double tolerance) {
  if (a.size() != b.size()) {
    UNSCOPED_INFO(a.size() << " elements instead of " << b.size());
    return false;
  }
  double scale = 0;
  for (const double value : b) scale = std::max(scale, std::abs(value));
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (std::abs(a[i] - b[i]) <= tolerance * scale) continue;
    UNSCOPED_INFO("element " << i << ": " << a[i] << " instead of " << b[i] << ", off by "
                             << std::abs(a[i] - b[i]) / scale << " of the largest");
    return false;
  }
  return true;
}

bool close(const Tensor& a, const Tensor& b, double tolerance) {
  if (!a.defined() || !b.defined() || a.shape() != b.shape()) {
    UNSCOPED_INFO("shape " << (a.defined() ? to_string(a.shape()) : "undefined") << " instead of "
                           << (b.defined() ? to_string(b.shape()) : "undefined"));
    return false;
  }
  return close(a.to_vector<double>(), b.to_vector<double>(), tolerance);
}

std::string module_gradient_mismatch(const Module& module, const Tensor& x_in,
                                     const std::function<Tensor(const Tensor& x)>& f,
                                     std::int64_t elements) {
  std::vector<NamedTensor> leaves = module.named_parameters();
  Tensor x = x_in.clone();
  if (is_floating(x.dtype())) {
    x.set_requires_grad();
    leaves.push_back({"x", x});
  }
  for (const NamedTensor& leaf : leaves) leaf.tensor.set_grad({});
  const Tensor y = f(x);
  const Tensor dy = sample(y.shape(), -1, 1, 11);
  y.backward(dy);

  const std::vector<double> weights = dy.to_vector<double>();
  const auto objective = [&] {
    const NoGrad no_grad;
    const std::vector<double> values = f(x).to_vector<double>();
    long double total = 0;
    for (std::size_t i = 0; i < values.size(); ++i) total += weights[i] * values[i];
    return total;
  };
  for (const NamedTensor& leaf : leaves) {
    const Tensor grad = leaf.tensor.grad();
    if (!grad.defined()) return leaf.name + " got no gradient";
    const std::vector<double> analytic = grad.to_vector<double>();
    double scale = 0;
    for (const double g : analytic) scale = std::max(scale, std::abs(g));
    const std::int64_t n = leaf.tensor.numel(), step = std::max<std::int64_t>(1, n / elements);
    const NoGrad no_grad;
    const std::vector<double> values = leaf.tensor.to_vector<double>();
    for (std::int64_t i = 0; i < n; i += step) {
      const Tensor element = narrow(reshape(leaf.tensor.detach(), {n}), 0, i, 1);
      const double kept = values[static_cast<std::size_t>(i)], h = 5e-4;
      const auto moved = [&](double by) {
        element.fill_(kept + by);
        return objective();
      };
      const long double near = moved(h) - moved(-h), far = moved(2 * h) - moved(-2 * h);
      element.fill_(kept);
      const double numeric = static_cast<double>((8 * near - far) / (12 * h));
      const double got = analytic[static_cast<std::size_t>(i)];
      if (!(std::abs(got - numeric) <= 1e-8 + 1e-6 * std::max(std::abs(numeric), scale))) {
        return str(leaf.name, "[", i, "]: gradient ", got, ", difference quotient ", numeric);
      }
    }
  }
  return "";
}

double epsilon(DType dtype) {
  switch (dtype) {
    case DType::float64:
      return std::ldexp(1.0, -53);
    case DType::float32:
      return std::ldexp(1.0, -24);
    case DType::float16:
      return std::ldexp(1.0, -11);
    default:
      return std::ldexp(1.0, -8);
  }
}

}  // namespace crocuta::test
