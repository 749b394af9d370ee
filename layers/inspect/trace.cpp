#include "layers/inspect/trace.h"

#include "framework/tensor/autograd.h"

namespace crocuta {
namespace {

// x, whose gradient is also written to `call`.
Tensor watched(const Tensor& x, const std::shared_ptr<LayerCall>& call, Tensor LayerCall::*grad) {
  return record("layer_trace", x.detach(), {x}, [call, grad](const Tensor& dy) -> Grads {
    (*call).*grad = dy;
    return {dy};
  });
}

}  // namespace

LayerTrace::LayerTrace(const Module& model, LayerCalls& calls) : calls_(calls) {
  for (auto& [name, module] : model.named_modules()) names_[module] = name;
}

Tensor LayerTrace::enter(const Layer& layer, const Tensor& x) {
  const auto call = std::make_shared<LayerCall>();
  const auto name = names_.find(&layer);
  call->name = name == names_.end() ? "(a layer outside the model)" : name->second;
  if (const int use = ++uses_[&layer]; use > 1) call->name += str(" (", use, ")");
  call->layer = &layer;
  call->input = x.detach();
  call->began = clock_++;
  calls_.push_back(call);
  at_work_.push_back(call);
  return watched(x, call, &LayerCall::grad_input);
}

Tensor LayerTrace::leave(const Layer&, const Tensor& y) {
  const auto call = at_work_.back();
  at_work_.pop_back();
  call->output = y.detach();
  call->ended = clock_++;
  return watched(y, call, &LayerCall::grad_output);
}

}  // namespace crocuta
