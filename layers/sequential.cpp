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

}  // namespace crocuta
