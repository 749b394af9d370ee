#include "layers/layer.h"

namespace crocuta {
namespace {

thread_local LayerObserver* observer = nullptr;

}  // namespace

Tensor Layer::operator()(const Tensor& x, const ProcessGroup& cp) {
  if (!observer) return forward(x, cp);
  LayerObserver& seen_by = *observer;
  const Tensor input = seen_by.enter(*this, x);
  return seen_by.leave(*this, forward(input, cp));
}

LayerObserver::LayerObserver() : previous_(observer) {
  observer = this;
}

LayerObserver::~LayerObserver() {
  observer = previous_;
}

}  // namespace crocuta
