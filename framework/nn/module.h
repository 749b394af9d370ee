// Module: parameters and children by name. A layer names each once:
//
//   MLP::MLP(const Options& o)
//       : fc1_(child<Linear>("fc1", {.in_features = o.d_model, .out_features = o.d_inner})),
//         scale_(param("scale", ones({o.d_model}))) {}
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "framework/tensor/tensor.h"

namespace crocuta {

struct NamedTensor {
  std::string name;
  Tensor tensor;
};
class Module;
struct NamedModule {
  std::string name;
  const Module* module;
};
// Parameter or buffer name → values; the names are dotted paths such as "blocks.0.norm1.weight".
using StateDict = std::map<std::string, Tensor>;

// Owns its parameters, buffers and children; neither copied nor moved.
class Module {
 public:
  Module() = default;
  virtual ~Module() = default;
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;

  // All parameters, own first, then the children's, in the order of construction.
  std::vector<NamedTensor> named_parameters() const;
  std::vector<Tensor> parameters() const;
  // All buffers: tensors that belong to the state, but that nothing is learned of.
  std::vector<NamedTensor> named_buffers() const;
  // This module, whose name is "", and all modules below it, each before its children.
  std::vector<NamedModule> named_modules() const;
  std::vector<NamedModule> named_children() const;
  // The number of elements of all parameters.
  std::int64_t parameter_count() const;

  // Parameters and buffers by name; shares their storage.
  StateDict state_dict() const;
  // Throws ArgumentError listing every missing, unexpected and mis-shaped or mis-typed name.
  void check_state_dict(const StateDict& state) const;
  // Copies values into parameters and buffers. Throws as check_state_dict() does, having changed nothing.
  void load_state_dict(const StateDict& state);

  // Moves parameters and buffers to another device, those that are floating to another dtype. All
  // handles of a parameter see the new values, and none a gradient. An optimizer keeps state for
  // parameters as they are: make it afterwards. Throws DTypeError for an integer type, DeviceError.
  void to(Device device);
  void to(DType dtype);

  void zero_grad();

  // Freezes or thaws parameters: all, or those whose name `pattern` describes, in which * stands for
  // any characters ("blocks.0.*"). A frozen one gets no gradient, so optimizers leave it alone.
  // Throws ArgumentError for a pattern that describes none.
  void requires_grad_(bool on);
  void requires_grad_(std::string_view pattern, bool on);

  // Switches dropout and the like on or off, here and in all children. On at first.
  void train(bool on = true);
  void eval() { train(false); }
  bool is_training() const { return training_; }

 protected:
  // Registers a parameter; it then requires a gradient. Throws ArgumentError for a name that is
  // empty, holds a dot, or is taken.
  Tensor param(std::string name, Tensor value);
  // Registers a buffer: part of the state, and moved by to(). Throws likewise.
  Tensor buffer(std::string name, Tensor value);
  // Makes and registers a child module.
  template <class T>
  T& child(std::string name, const typename T::Options& options) {
    return child(std::move(name), std::make_unique<T>(options));
  }
  template <class T, class... Args>
  T& child(std::string name, Args&&... args) {
    return child(std::move(name), std::make_unique<T>(std::forward<Args>(args)...));
  }
  // Registers one that exists.
  template <class T>
  T& child(std::string name, std::unique_ptr<T> module) {
    T& reference = *module;
    adopt(std::move(name), std::move(module));
    return reference;
  }

 private:
  void adopt(std::string name, std::unique_ptr<Module> module);
  void require_new_name(const std::string& name) const;
  void collect(const std::string& name, std::vector<NamedModule>& out) const;
  std::vector<NamedTensor> collect(std::vector<NamedTensor> Module::*own) const;
  std::vector<NamedTensor> named_state() const;
  void convert(const std::function<Tensor(const Tensor&)>& converted);

  std::vector<NamedTensor> params_, buffers_;
  std::vector<std::pair<std::string, std::unique_ptr<Module>>> children_;
  bool training_ = true;
};

}  // namespace crocuta
