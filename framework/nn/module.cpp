#include "framework/nn/module.h"

#include <algorithm>

#include "framework/tensor/autograd.h"

namespace crocuta {

std::vector<NamedTensor> Module::named_parameters() const {
  std::vector<NamedTensor> out;
  collect("", out);
  return out;
}

void Module::collect(const std::string& prefix, std::vector<NamedTensor>& out) const {
  for (const NamedTensor& param : params_) out.push_back({prefix + param.name, param.tensor});
  for (const auto& [name, module] : children_) module->collect(prefix + name + ".", out);
}

std::vector<NamedModule> Module::named_modules() const {
  std::vector<NamedModule> out;
  collect("", out);
  return out;
}

void Module::collect(const std::string& name, std::vector<NamedModule>& out) const {
  out.push_back({name, this});
  const std::string prefix = name.empty() ? "" : name + ".";
  for (const auto& [child, module] : children_) module->collect(prefix + child, out);
}

std::vector<Tensor> Module::parameters() const {
  std::vector<Tensor> out;
  for (NamedTensor& param : named_parameters()) out.push_back(std::move(param.tensor));
  return out;
}

std::int64_t Module::parameter_count() const {
  std::int64_t count = 0;
  for (const Tensor& param : parameters()) count += param.numel();
  return count;
}

StateDict Module::state_dict() const {
  StateDict state;
  for (const auto& [name, tensor] : named_parameters()) state[name] = tensor.detach();
  return state;
}

void Module::check_state_dict(const StateDict& state) const {
  const std::vector<NamedTensor> params = named_parameters();
  std::string problems;
  const auto complain = [&](const auto&... text) {
    problems += str(problems.empty() ? "" : "; ", text...);
  };
  StateDict unexpected = state;
  for (const auto& [name, param] : params) {
    const auto found = state.find(name);
    if (found == state.end()) {
      complain("missing '", name, "' ", to_string(param.shape()));
      continue;
    }
    unexpected.erase(name);
    const Tensor& value = found->second;
    if (value.shape() != param.shape()) {
      complain("'", name, "' should have shape ", to_string(param.shape()), ", has ",
               to_string(value.shape()));
    } else if (value.dtype() != param.dtype()) {
      complain("'", name, "' should be ", param.dtype(), ", is ", value.dtype());
    }
  }
  for (const auto& [name, value] : unexpected) {
    complain("unexpected '", printable(name), "' ", to_string(value.shape()));
  }
  if (!problems.empty()) {
    fail<ArgumentError>("load_state_dict", "state", "this module's parameters", problems);
  }
}

void Module::load_state_dict(const StateDict& state) {
  check_state_dict(state);
  const NoGrad guard;
  for (const auto& [name, param] : named_parameters()) param.copy_(state.at(name));
}

void Module::zero_grad() {
  for (const Tensor& param : parameters()) param.set_grad({});
}

void Module::train(bool on) {
  training_ = on;
  for (auto& [name, module] : children_) module->train(on);
}

Tensor Module::param(std::string name, Tensor value) {
  require_new_name(name);
  value.set_requires_grad();
  params_.push_back({std::move(name), value});
  return value;
}

void Module::adopt(std::string name, std::unique_ptr<Module> module) {
  require_new_name(name);
  children_.emplace_back(std::move(name), std::move(module));
}

void Module::require_new_name(const std::string& name) const {
  const bool taken =
      std::any_of(params_.begin(), params_.end(), [&](const auto& p) { return p.name == name; }) ||
      std::any_of(children_.begin(), children_.end(),
                  [&](const auto& c) { return c.first == name; });
  if (name.empty() || name.find('.') != std::string::npos || taken) {
    fail<ArgumentError>("Module", "name", "a new name without dots", str('"', name, '"'));
  }
}

}  // namespace crocuta
