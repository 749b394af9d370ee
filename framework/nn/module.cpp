#include "framework/nn/module.h"

#include <algorithm>

#include "framework/tensor/autograd.h"

namespace crocuta {
namespace {

// Whether `name` is what `pattern` describes: * stands for any characters, none included.
bool matches(std::string_view pattern, std::string_view name) {
  if (pattern.empty()) return name.empty();
  if (pattern.front() == '*') {
    return matches(pattern.substr(1), name) || (!name.empty() && matches(pattern, name.substr(1)));
  }
  return !name.empty() && pattern.front() == name.front() &&
         matches(pattern.substr(1), name.substr(1));
}

}  // namespace

std::vector<NamedTensor> Module::collect(std::vector<NamedTensor> Module::*own) const {
  std::vector<NamedTensor> out;
  for (const auto& [path, module] : named_modules()) {
    for (const auto& [name, tensor] : module->*own) {
      out.push_back({path.empty() ? name : path + "." + name, tensor});
    }
  }
  return out;
}

std::vector<NamedTensor> Module::named_parameters() const {
  return collect(&Module::params_);
}

std::vector<NamedTensor> Module::named_buffers() const {
  return collect(&Module::buffers_);
}

std::vector<NamedTensor> Module::named_state() const {
  std::vector<NamedTensor> state = named_parameters();
  for (NamedTensor& buffer : named_buffers()) state.push_back(std::move(buffer));
  return state;
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

std::vector<NamedModule> Module::named_children() const {
  std::vector<NamedModule> out;
  for (const auto& [name, module] : children_) out.push_back({name, module.get()});
  return out;
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
  for (const auto& [name, tensor] : named_state()) state[name] = tensor.detach();
  return state;
}

void Module::check_state_dict(const StateDict& state) const {
  std::string problems;
  const auto complain = [&](const auto&... text) {
    problems += str(problems.empty() ? "" : "; ", text...);
  };
  StateDict unexpected = state;
  for (const auto& [name, param] : named_state()) {
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
  for (const auto& [name, tensor] : named_state()) tensor.copy_(state.at(name));
}

void Module::convert(const std::function<Tensor(const Tensor&)>& converted) {
  for (const auto& [name, tensor] : named_state()) tensor.set_data(converted(tensor.detach()));
}

void Module::to(Device device) {
  convert([device](const Tensor& value) { return value.to(device); });
}

void Module::to(DType dtype) {
  if (!is_floating(dtype)) {
    fail<DTypeError>("Module::to", "dtype", "a floating dtype", crocuta::name(dtype));
  }
  convert([dtype](const Tensor& value) {
    return is_floating(value.dtype()) ? value.to(dtype) : value;
  });
}

void Module::zero_grad() {
  for (const Tensor& param : parameters()) param.set_grad({});
}

void Module::requires_grad_(bool on) {
  for (const Tensor& parameter : parameters()) parameter.set_requires_grad(on);
}

void Module::requires_grad_(std::string_view pattern, bool on) {
  bool found = false;
  for (const auto& [name, parameter] : named_parameters()) {
    if (!matches(pattern, name)) continue;
    parameter.set_requires_grad(on);
    found = true;
  }
  if (!found) {
    fail<ArgumentError>("requires_grad_", "pattern", "one that describes a parameter's name",
                        str('"', printable(pattern), '"'));
  }
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

Tensor Module::buffer(std::string name, Tensor value) {
  require_new_name(name);
  buffers_.push_back({std::move(name), value});
  return value;
}

void Module::adopt(std::string name, std::unique_ptr<Module> module) {
  require_new_name(name);
  children_.emplace_back(std::move(name), std::move(module));
}

void Module::require_new_name(const std::string& name) const {
  const auto has_name = [&](const NamedTensor& tensor) { return tensor.name == name; };
  const bool taken = std::any_of(params_.begin(), params_.end(), has_name) ||
                     std::any_of(buffers_.begin(), buffers_.end(), has_name) ||
                     std::any_of(children_.begin(), children_.end(),
                                 [&](const auto& child) { return child.first == name; });
  if (name.empty() || name.find('.') != std::string::npos || taken) {
    fail<ArgumentError>("Module", "name", "a new name without dots", str('"', name, '"'));
  }
}

}  // namespace crocuta
