#include "layers/sequential.h"

#include "framework/base/error.h"

namespace crocuta {

void Sequential::append(Function function) {
  if (!function) fail<ArgumentError>("Sequential", "function", "a function", "none");
  steps_.push_back({nullptr, std::move(function)});
}

Tensor Sequential::forward(const Tensor& x, const ProcessGroup& cp) {
  Tensor y = x;
  for (const Step& step : steps_)
    y = step.layer != nullptr ? (*step.layer)(y, cp) : step.function(y);
  return y;
}

int Sequential::time_dimension() const {
  for (const Step& step : steps_) {
    if (step.layer != nullptr) return step.layer->time_dimension();
  }
  return 1;
}

Tensor Sequential::extend_forward(const Tensor& x, State& state) {
  Tensor y = x;
  for (const Step& step : steps_) {
    y = step.layer != nullptr ? step.layer->extend(y, state) : step.function(y);
  }
  return y;
}

}  // namespace crocuta
