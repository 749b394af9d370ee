#include "layers/layer.h"

#include <cxxabi.h>

#include <cstdlib>
#include <memory>
#include <typeinfo>

#include "framework/base/error.h"
#include "framework/tensor/autograd.h"

namespace crocuta {
namespace {

thread_local LayerObserver* observer = nullptr;

}  // namespace

Tensor Layer::operator()(const Tensor& x, const ProcessGroup& cp) {
  if (!observer) return forward(x, cp);
  return observed(x, [&](const Tensor& input) { return forward(input, cp); });
}

Tensor Layer::observed(const Tensor& x, const std::function<Tensor(const Tensor& x)>& f) {
  if (!observer) return f(x);
  LayerObserver& seen_by = *observer;
  const Tensor input = seen_by.enter(*this, x);
  return seen_by.leave(*this, f(input));
}

Tensor Layer::extend(const Tensor& x, State& state) {
  if (state.in_call_) return extend_forward(x, state);  // another layer's call
  if (state.broken_) {
    throw Error(
        "extend: 'state': a call that used it has failed half-way: begin anew, or with a copy");
  }
  const int time = time_dimension();
  if (x.dim() <= time || x.size(0) != state.batch()) {
    fail<ShapeError>("extend", "x", str("a batch of ", state.batch(), " sequences"),
                     to_string(x.shape()));
  }
  const NoGrad no_grad;
  state.in_call_ = true;
  state.changed_ = false;
  try {
    Tensor y = extend_forward(x, state);
    state.position_ += x.size(time);
    state.in_call_ = false;
    return y;
  } catch (...) {
    state.in_call_ = false;
    state.broken_ = state.changed_;
    throw;
  }
}

Tensor Layer::extend_forward(const Tensor&, State&) {
  throw ArgumentError(str("extend: ", class_name(), " does not say how it is extended"));
}

std::string Layer::class_name() const {
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> name(
      abi::__cxa_demangle(typeid(*this).name(), nullptr, nullptr, &status), std::free);
  const std::string whole = name ? name.get() : typeid(*this).name();
  return whole.starts_with("crocuta::") ? whole.substr(9) : whole;
}

LayerObserver::LayerObserver() : previous_(observer) {
  observer = this;
}

LayerObserver::~LayerObserver() {
  observer = previous_;
}

}  // namespace crocuta
