// A record of what went through every layer of a model, there and back.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "layers/layer.h"

namespace crocuta {

// One use of a layer. Tensors are outside the graph.
struct LayerCall {
  std::string name;  // its dotted path, "" for the model itself; "norm (2)" when used again
  const Layer* layer = nullptr;
  Tensor input, output;            // output: undefined while at work, and if it threw
  Tensor grad_input, grad_output;  // undefined before backward(), and where none arrived
  int began = 0, ended = 0;        // times on a clock that counts beginnings and ends
};
using LayerCalls = std::vector<std::shared_ptr<LayerCall>>;

// While one lives, writes down all calls of `model` and the layers below it on this thread, in the
// order in which they begin; gradients are filled in by a later backward(). Only layers called as
// functions are seen.
class LayerTrace : public LayerObserver {
 public:
  LayerTrace(const Module& model, LayerCalls& calls);

  Tensor enter(const Layer& layer, const Tensor& x) override;
  Tensor leave(const Layer& layer, const Tensor& y) override;

 private:
  std::unordered_map<const Module*, std::string> names_;
  std::unordered_map<const Module*, int> uses_;
  std::vector<std::shared_ptr<LayerCall>> at_work_;
  LayerCalls& calls_;
  int clock_ = 0;
};

}  // namespace crocuta
