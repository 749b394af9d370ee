#include "tests/support/check_op.h"

#include <algorithm>
#include <cmath>

#include "framework/device/threads.h"
#include "framework/ops/ops.h"
#include "framework/tensor/autograd.h"
#include "tests/support/catch.h"
#include "tests/support/expected_stream.h"

namespace crocuta::test {
namespace {

using Tensors = std::vector<Tensor>;

struct Precision {
  double eps;          // of one rounding to the dtype: half a unit in the last place
  double accumulator;  // the same of the type sums are taken in
  double tiny;         // half the smallest subnormal number
};
Precision precision_of(DType dtype) {
  switch (dtype) {
    case DType::float64:
      return {0x1p-53, 0x1p-53, 0x1p-1074};
    case DType::float32:
      return {0x1p-24, 0x1p-24, 0x1p-150};
    case DType::bfloat16:
      return {0x1p-8, 0x1p-24, 0x1p-134};
    case DType::float16:
      return {0x1p-11, 0x1p-24, 0x1p-25};
    default:
      return {0, 0, 0};
  }
}

Tensor convert(const Tensor& x, DType dtype) {
  return is_floating(x.dtype()) ? x.detach().to(dtype) : x;
}
Tensors convert(const Tensors& inputs, DType dtype) {
  Tensors result;
  for (const Tensor& x : inputs) result.push_back(convert(x, dtype));
  return result;
}

// Runs the op on fresh leaves made from `inputs`; gradients only if `dy` is defined.
struct Run {
  Tensor y;
  Tensors grads;
};
Run run(const Fn& fn, const Tensors& inputs, const Tensor& dy) {
  Tensors leaves;
  for (const Tensor& x : inputs) {
    leaves.push_back(x.detach());
    if (dy.defined() && is_floating(x.dtype())) leaves.back().set_requires_grad();
  }
  Run result{fn(leaves), {}};
  if (dy.defined()) {
    result.y.backward(dy);
    for (const Tensor& leaf : leaves) result.grads.push_back(leaf.grad());
  }
  return result;
}

// "" if a is within the bound of `exact` everywhere.
std::string beyond(const Tensor& a, const Tensor& exact, double relative, double absolute) {
  if (a.shape() != exact.shape()) {
    return str("shape ", to_string(a.shape()), ", expected ", to_string(exact.shape()));
  }
  const auto va = a.to_vector<double>(), ve = exact.to_vector<double>();
  const double largest = a.dtype() == DType::float16    ? 65504
                         : a.dtype() == DType::bfloat16 ? 0x1.fep127
                                                        : HUGE_VAL;
  for (std::size_t i = 0; i < va.size(); ++i) {
    if (va[i] == ve[i] || (std::isnan(va[i]) && std::isnan(ve[i]))) continue;
    if (std::isinf(va[i]) && std::abs(ve[i]) > largest && (va[i] > 0) == (ve[i] > 0)) continue;
    const double bound = relative * std::abs(ve[i]) + absolute;
    if (!(std::abs(va[i] - ve[i]) <= bound)) {
      return str("element ", i, ": ", va[i], ", expected ", ve[i], " within ", bound, " (off by ",
                 std::abs(va[i] - ve[i]) / bound, " times that)");
    }
  }
  return "";
}

std::string bits_differ(const Tensor& a, const Tensor& b) {
  return a.defined() == b.defined() ? a.defined() ? beyond(a, b, 0, 0) : "" : "one is undefined";
}

class Checker {
 public:
  explicit Checker(const OpCheck& op) : op_(op) {}

  void check_dtype(DType dtype, Device device) const {
    const Precision p = precision_of(dtype);
    const Tensors rounded = convert(op_.inputs, dtype);
    Tensors wide;
    for (std::size_t i = 0; i < rounded.size(); ++i) {
      wide.push_back(rounded[i].to(op_.inputs[i].dtype()));
    }
    Tensors placed;
    for (const Tensor& x : rounded) placed.push_back(x.to(device));
    const Tensor exact = op_.oracle(wide);
    const Run result = run(op_.fn, placed, Tensor());
    const double cancelling = op_.rounding * p.accumulator + op_.steps * p.eps;
    expect(str("result in ", dtype, " on ", device),
           beyond(result.y.to(Device::cpu()), exact, p.eps + cancelling,
                  cancelling * op_.scale + p.tiny));
    if (!op_.differentiable || !is_floating(dtype) || dtype == DType::float64) return;
    const Tensor dy = sample(exact.shape(), -1, 1, 3).to(dtype).to(DType::float64);
    const Run reference = run(op_.fn, wide, dy);
    const Run graded = run(op_.fn, placed, dy.to(result.y.dtype()).to(device));
    for (std::size_t i = 0; i < placed.size(); ++i) {
      if (!is_floating(placed[i].dtype())) continue;
      const double relative = op_.rounding * p.eps;
      expect(str("gradient ", i, " in ", dtype, " on ", device),
             beyond(graded.grads[i].to(Device::cpu()), reference.grads[i], relative,
                    relative * op_.gradient_scale + p.tiny));
    }
  }

  // Inputs whose every element is the first along some dimension, without a copy of it.
  void check_expanded() const {
    for (std::size_t i = 0; i < std::min(op_.expanded, op_.inputs.size()); ++i) {
      const Tensor& x = op_.inputs[i];
      for (int d = 0; d < x.dim(); ++d) {
        if (x.size(d) < 2) continue;
        Tensors views = op_.inputs, copies = op_.inputs;
        views[i] = expand(narrow(x, d, 0, 1), x.shape());
        copies[i] = views[i].clone();
        const Tensor shape_of_y = run(op_.fn, copies, Tensor()).y;
        const Tensor dy = op_.differentiable ? sample(shape_of_y.shape(), -1, 1, 3) : Tensor();
        const Run a = run(op_.fn, views, dy), b = run(op_.fn, copies, dy);
        const double tolerance = op_.gradient.same_bits ? 0 : 1e-12;
        expect(str("input ", i, " expanded along ", d), beyond(a.y, b.y, tolerance, tolerance));
        for (std::size_t k = 0; k < a.grads.size(); ++k) {
          if (!b.grads[k].defined()) continue;
          expect(str("input ", i, " expanded along ", d, ": gradient ", k),
                 beyond(a.grads[k], b.grads[k], tolerance, tolerance));
        }
      }
    }
  }

  void check_threads() const {
    const NumThreads restored(1);
    for (const DType dtype : op_.dtypes) {
      Tensors inputs = convert(op_.inputs, dtype);
      for (Tensor& x : inputs) x = x.to(Device::cpu());
      std::vector<Run> runs;
      for (const int count : {1, 2, 3}) {
        set_num_threads(count);
        Tensor dy;
        if (op_.differentiable && is_floating(dtype)) {
          const Tensor y = run(op_.fn, inputs, Tensor()).y;
          dy = sample(y.shape(), -1, 1, 3).to(y.options());
        }
        runs.push_back(run(op_.fn, inputs, dy));
      }
      for (const Run& other : {runs[1], runs[2]}) {
        expect(str("threads, in ", dtype), bits_differ(other.y, runs[0].y));
        for (std::size_t i = 0; i < other.grads.size(); ++i) {
          expect(str("threads, gradient ", i, " in ", dtype),
                 bits_differ(other.grads[i], runs[0].grads[i]));
        }
      }
    }
  }

 private:
  void expect(const std::string& what, const std::string& problem) const {
    INFO(op_.name << ": " << what);
    CHECK(problem == "");
  }

  const OpCheck& op_;
};

template <class F>
Tensor map_values(const Tensor& x, F f) {
  std::vector<double> values = x.to_vector<double>();
  for (double& v : values) v = f(v);
  return from_vector(values, x.shape());
}

// Other inputs out of the same range: each one's values in reverse order.
Tensors reversed(Tensors inputs) {
  for (Tensor& x : inputs) {
    if (!is_floating(x.dtype())) continue;
    std::vector<double> values = x.to_vector<double>();
    std::reverse(values.begin(), values.end());
    x = from_vector(values, x.shape());
  }
  return inputs;
}

}  // namespace

void gradcheck(const Fn& fn, const std::vector<Tensor>& inputs, const GradcheckOptions& options) {
  CHECK(gradient_mismatch(fn, inputs, options) == "");
}

void check_magnitudes(const OpCheck& op) {
  for (const Device device : test_devices()) {
    for (const DType dtype : op.dtypes) Checker(op).check_dtype(dtype, device);
  }
}

void check_op(const OpCheck& op) {
  const ExpectCurrentStream expected;
  const Checker checker(op);
  check_magnitudes(op);
  const auto empty = [](const Tensor& x) { return x.numel() == 0; };
  if (std::any_of(op.inputs.begin(), op.inputs.end(), empty)) return;
  if (op.differentiable) {
    INFO(op.name << ": gradient");
    gradcheck(op.fn, op.inputs, op.gradient);
    GradcheckOptions fewer = op.gradient;
    fewer.elements = std::min<std::int64_t>(fewer.elements, 6);
    ++fewer.seed;
    INFO("values in reverse order");
    gradcheck(op.fn, reversed(op.inputs), fewer);
  } else {
    Tensors strided;
    for (const Tensor& x : op.inputs) strided.push_back(scattered(x));
    INFO(op.name << ": strided inputs");
    CHECK(bits_differ(op.fn(strided), op.fn(op.inputs)) == "");
  }
  checker.check_expanded();
  checker.check_threads();
}

std::vector<Device> test_devices() {
  std::vector<Device> devices = {Device::cpu()};
  if (cuda_device_count() > 0) devices.push_back(Device::cuda());
  return devices;
}

Fn apply(double (*f)(double)) {
  return [f](const Tensors& x) { return map_values(x[0], f); };
}

Fn apply(double (*f)(double, double)) {
  return [f](const Tensors& x) {
    // Broadcasting spelled out: the index into an operand drops what it does not have.
    const int dims = std::max(x[0].dim(), x[1].dim());
    const auto size = [&](const Tensor& t, int d) {  // d counts from the end
      return d < t.dim() ? t.size(t.dim() - 1 - d) : 1;
    };
    Shape shape;
    for (int d = dims - 1; d >= 0; --d) {
      shape.push_back(size(x[0], d) == 1 ? size(x[1], d) : size(x[0], d));
    }
    const auto a = x[0].to_vector<double>(), b = x[1].to_vector<double>();
    std::vector<double> y(static_cast<std::size_t>(element_count(shape)));
    for (std::size_t i = 0; i < y.size(); ++i) {
      auto rest = static_cast<std::int64_t>(i);
      std::int64_t ia = 0, ib = 0, step_a = 1, step_b = 1;
      for (int d = 0; d < dims; ++d) {
        const std::int64_t n = shape[static_cast<std::size_t>(dims - 1 - d)];
        if (size(x[0], d) != 1) ia += rest % n * step_a;
        if (size(x[1], d) != 1) ib += rest % n * step_b;
        step_a *= size(x[0], d);
        step_b *= size(x[1], d);
        rest /= n;
      }
      y[i] = f(a[static_cast<std::size_t>(ia)], b[static_cast<std::size_t>(ib)]);
    }
    return from_vector(y, shape);
  };
}

}  // namespace crocuta::test
