#include "framework/nn/optimizer.h"

#include <cmath>

#include "framework/tensor/autograd.h"
#include "framework/tensor/dispatch.h"
#include "kernels/optimizer.h"

namespace crocuta {
namespace {

DType state_dtype(const Tensor& parameter) {
  return parameter.dtype() == DType::float64 ? DType::float64 : DType::float32;
}

void require(const char* who, const char* argument, bool valid, const char* expected,
             double value) {
  if (!valid) fail<ArgumentError>(who, argument, expected, str(value));
}

std::vector<ParameterGroup> one_group(std::vector<NamedTensor> parameters) {
  std::vector<ParameterGroup> groups(1);
  groups[0].parameters = std::move(parameters);
  return groups;
}
// `groups`, if eps outweighs what their second moments lose: squares that vanish below the smallest
// number of their dtype.
std::vector<ParameterGroup> with_eps(std::vector<ParameterGroup> groups, double eps) {
  for (const ParameterGroup& group : groups) {
    for (const NamedTensor& parameter : group.parameters) {
      const bool wide = parameter.tensor.dtype() == DType::float64;
      require("AdamW", "eps", std::isfinite(eps) && eps >= (wide ? 1e-150 : 1e-15),
              wide ? "at least 1e-150" : "at least 1e-15 (1e-150 in float64)", eps);
    }
  }
  return groups;
}
}  // namespace

Optimizer::Optimizer(const char* who, std::vector<ParameterGroup> groups, double learning_rate,
                     double weight_decay, std::array<double, 2> betas, bool master_weights)
    : learning_rate_(learning_rate) {
  const auto is_amount = [](double value) { return std::isfinite(value) && value >= 0; };
  require(who, "learning_rate", is_amount(learning_rate), "a number of at least 0", learning_rate);
  for (const ParameterGroup& group : groups) {
    const double decay = group.weight_decay.value_or(weight_decay);
    const std::array<double, 2> beta = group.betas.value_or(betas);
    const double scale = group.learning_rate_scale;
    require(who, "learning_rate_scale", is_amount(scale), "a number of at least 0", scale);
    require(who, "weight_decay", is_amount(decay), "a number of at least 0", decay);
    for (const double b : beta) {
      require(who, "betas", b >= 0 && b < 1, "numbers from 0 to below 1", b);
    }
    for (const NamedTensor& parameter : group.parameters) {
      add(who, parameter,
          {parameter.name, parameter.tensor, scale, decay, beta[0], beta[1], {}, {}},
          master_weights);
    }
  }
  if (slots_.empty()) fail<ArgumentError>(who, "parameters", "at least one", "none");
}

void Optimizer::add(const char* who, const NamedTensor& parameter, Slot slot, bool master_weights) {
  const Tensor& tensor = parameter.tensor;
  const auto problem = [&](const char* expected, const std::string& got) {
    fail<ArgumentError>(who, parameter.name, expected, got);
  };
  for (const Slot& other : slots_) {
    if (other.name == parameter.name) problem("a name of its own", "one that is taken");
    if (other.parameter.is_same(tensor)) {
      problem("a parameter given once", str("the same as '", other.name, "'"));
    }
  }
  if (!is_floating(tensor.dtype())) {
    fail<DTypeError>(who, parameter.name, "a floating dtype", name(tensor.dtype()));
  }
  if (!tensor.is_contiguous()) problem("a contiguous parameter", "a strided view");
  if (master_weights && state_dtype(tensor) != tensor.dtype()) {
    slot.master = tensor.detach().to(DType::float32);
  }
  slots_.push_back(std::move(slot));
}

void Optimizer::add_state(const std::string& name) {
  for (Slot& slot : slots_) {
    slot.state.push_back(
        {name, zeros(slot.parameter.shape(),
                     {.dtype = state_dtype(slot.parameter), .device = slot.parameter.device()})});
  }
}

void Optimizer::step(double grad_scale) {
  const NoGrad guard;
  for (Slot& slot : slots_) {
    const Tensor grad = slot.parameter.grad();
    if (!grad.defined()) continue;
    ++slot.steps;
    update(slot, grad.contiguous(), learning_rate_ * slot.learning_rate_scale, grad_scale);
    slot.parameter.bump_version();
  }
}

void Optimizer::zero_grad() {
  for (const Slot& slot : slots_) slot.parameter.set_grad({});
}

void Optimizer::set_learning_rate(double value) {
  require("set_learning_rate", "value", std::isfinite(value) && value >= 0,
          "a number of at least 0", value);
  learning_rate_ = value;
}

std::vector<NamedTensor> Optimizer::tensors() const {
  std::vector<NamedTensor> all;
  for (const Slot& slot : slots_) {
    for (const auto& [name, tensor] : slot.state) all.push_back({slot.name + "." + name, tensor});
    if (slot.master.defined()) all.push_back({slot.name + ".master", slot.master});
    all.push_back(
        {slot.name + ".step", from_vector<std::int64_t>({slot.steps}, {}, Device::cpu())});
  }
  return all;
}

StateDict Optimizer::state_dict() const {
  StateDict state;
  for (NamedTensor& entry : tensors()) state.emplace(std::move(entry.name), entry.tensor);
  return state;
}

void Optimizer::load_state_dict(const StateDict& state) {
  const std::vector<NamedTensor> own = tensors();
  std::string problems;
  const auto complain = [&](const auto&... text) {
    problems += str(problems.empty() ? "" : "; ", text...);
  };
  StateDict unexpected = state;
  for (const auto& [name, tensor] : own) {
    if (unexpected.erase(name) == 0) {
      complain("missing '", name, "' ", to_string(tensor.shape()));
      continue;
    }
    const Tensor& value = state.at(name);
    if (value.shape() != tensor.shape()) {
      complain("'", name, "' should have shape ", to_string(tensor.shape()), ", has ",
               to_string(value.shape()));
    } else if (value.dtype() != tensor.dtype()) {
      complain("'", name, "' should be ", tensor.dtype(), ", is ", value.dtype());
    } else if (name.ends_with(".step") && tensor.dtype() == DType::int64 && value.item() < 0) {
      complain("'", name, "' should be at least 0, is ", value.item());
    }
  }
  for (const auto& [name, value] : unexpected) {
    complain("unexpected '", printable(name), "' ", to_string(value.shape()));
  }
  if (!problems.empty()) {
    fail<ArgumentError>("load_state_dict", "state", "this optimizer's state", problems);
  }
  const NoGrad guard;
  for (const auto& [name, tensor] : own) tensor.copy_(state.at(name));
  for (Slot& slot : slots_) {
    slot.steps = state.at(slot.name + ".step").to_vector<std::int64_t>()[0];
  }
}

AdamW::AdamW(std::vector<ParameterGroup> groups, const AdamWOptions& o)
    : Optimizer("AdamW", with_eps(std::move(groups), o.eps), o.learning_rate, o.weight_decay,
                {o.beta1, o.beta2}, o.master_weights),
      eps_(o.eps) {
  add_state("exp_avg");
  add_state("exp_avg_sq");
}

AdamW::AdamW(std::vector<NamedTensor> parameters, const AdamWOptions& options)
    : AdamW(one_group(std::move(parameters)), options) {}

void AdamW::update(const Slot& slot, const Tensor& grad, double learning_rate, double grad_scale) {
  const auto t = static_cast<double>(slot.steps);
  const kernels::AdamWStep step{.lr = learning_rate,
                                .beta1 = slot.beta1,
                                .beta2 = slot.beta2,
                                .eps = eps_,
                                .weight_decay = slot.weight_decay,
                                .correction1 = 1 - std::pow(slot.beta1, t),
                                .correction2 = 1 - std::pow(slot.beta2, t),
                                .grad_scale = grad_scale};
  const Tensor& p = slot.parameter;
  dispatch("AdamW", p, [&]<class Device, class T>() {
    using A = kernels::accumulator_t<T>;
    kernels::adamw_step<Device, T>(p.numel(), step, grad.data<T>(), p.data<T>(),
                                   slot.state[0].tensor.data<A>(), slot.state[1].tensor.data<A>(),
                                   slot.master.defined() ? slot.master.data<A>() : nullptr,
                                   current_stream(p.device()));
  });
}

Sgd::Sgd(std::vector<ParameterGroup> groups, const SgdOptions& o)
    : Optimizer("Sgd", std::move(groups), o.learning_rate, o.weight_decay, {0, 0},
                o.master_weights),
      momentum_(o.momentum) {
  require("Sgd", "momentum", momentum_ >= 0 && momentum_ < 1, "a number from 0 to below 1",
          momentum_);
  if (momentum_ > 0) add_state("momentum");
}

Sgd::Sgd(std::vector<NamedTensor> parameters, const SgdOptions& options)
    : Sgd(one_group(std::move(parameters)), options) {}

void Sgd::update(const Slot& slot, const Tensor& grad, double learning_rate, double grad_scale) {
  const kernels::SgdStep step{learning_rate, momentum_, slot.weight_decay, grad_scale};
  const Tensor& p = slot.parameter;
  dispatch("Sgd", p, [&]<class Device, class T>() {
    using A = kernels::accumulator_t<T>;
    kernels::sgd_step<Device, T>(p.numel(), step, grad.data<T>(), p.data<T>(),
                                 momentum_ > 0 ? slot.state[0].tensor.data<A>() : nullptr,
                                 slot.master.defined() ? slot.master.data<A>() : nullptr,
                                 current_stream(p.device()));
  });
}

}  // namespace crocuta
