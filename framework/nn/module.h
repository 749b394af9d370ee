// Module: parameters and children by name. A layer names each once:
//
//   MLP::MLP(const Options& o)
//       : fc1_(child<Linear>("fc1", ...)), scale_(param("scale", ones({o.d_model}))) {}
#pragma once

#include <map>
#include <memory>
#include <string>
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
// Parameter name → values; the names are dotted paths such as "blocks.0.norm1.weight".
using StateDict = std::map<std::string, Tensor>;

// Owns its parameters and children; neither copied nor moved.
class Module {
 public:
  Module() = default;
  virtual ~Module() = default;
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;

  // All parameters, own first, then the children's, in the order of construction.
  std::vector<NamedTensor> named_parameters() const;
  std::vector<Tensor> parameters() const;
  // This module, whose name is "", and all modules below it, each before its children.
  std::vector<NamedModule> named_modules() const;
  // The number of elements of all parameters.
  std::int64_t parameter_count() const;

  // The parameters by name; shares their storage.
  StateDict state_dict() const;
  // Throws ArgumentError listing every missing, unexpected and mis-shaped or mis-typed name.
  void check_state_dict(const StateDict& state) const;
  // Copies values into the parameters. Throws as check_state_dict() does, having changed nothing.
  void load_state_dict(const StateDict& state);

  void zero_grad();

  // Switches dropout and the like on or off, here and in all children. On at first.
  void train(bool on = true);
  bool is_training() const { return training_; }

 protected:
  // Registers a parameter; it then requires a gradient. Throws ArgumentError for a name that is
  // empty, holds a dot, or is taken.
  Tensor param(std::string name, Tensor value);
  // Makes and registers a child module.
  template <class T, class... Args>
  T& child(std::string name, Args&&... args) {
    auto module = std::make_unique<T>(std::forward<Args>(args)...);
    T& reference = *module;
    adopt(std::move(name), std::move(module));
    return reference;
  }

 private:
  void adopt(std::string name, std::unique_ptr<Module> module);
  void require_new_name(const std::string& name) const;
  void collect(const std::string& prefix, std::vector<NamedTensor>& out) const;
  void collect(const std::string& name, std::vector<NamedModule>& out) const;

  std::vector<NamedTensor> params_;
  std::vector<std::pair<std::string, std::unique_ptr<Module>>> children_;
  bool training_ = true;
};

}  // namespace crocuta
