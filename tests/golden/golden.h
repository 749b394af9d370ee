// Results and gradients that PyTorch computed once, in float64: see make_golden.py.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "framework/base/config.h"
#include "framework/nn/module.h"

namespace crocuta::test {

// One case of one file, its tensors on the default device.
struct GoldenCase {
  std::string family, name;
  Config config;
  StateDict tensors;

  bool has(const std::string& tensor) const { return tensors.count(tensor) > 0; }
  const Tensor& at(const std::string& tensor) const { return tensors.at(tensor); }
  // The tensors whose names begin with `prefix`, without it.
  StateDict below(const std::string& prefix) const;
  // input.0, input.1, ... as leaves that collect gradients.
  std::vector<Tensor> inputs() const;

  using Function = std::function<Tensor(const std::vector<Tensor>& inputs)>;
  // Catch2 checks of f's output and all gradients; those of `module`, which gets the parameters of
  // the case, too.
  void check(const Function& f, Module* module = nullptr) const;
  // Catch2 check that `result` is the tensor of that name, up to rounding.
  void check_equal(const Tensor& result, const std::string& expected) const;
};

// How each family is checked.
using GoldenChecks = std::map<std::string, std::function<void(const GoldenCase&)>>;
GoldenChecks golden_op_checks();
GoldenChecks golden_layer_checks();
GoldenChecks golden_training_checks();

}  // namespace crocuta::test
