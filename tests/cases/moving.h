// Declaring ops that only move elements.
#pragma once

#include "framework/ops/ops.h"
#include "tests/cases/declared.h"

namespace crocuta::test {

using Index = std::vector<std::int64_t>;

// y of the given shape with y[index] = x[from(index)], element by element.
inline Fn gather(const Shape& shape, std::function<Index(const Index&)> from) {
  return [=](const Tensors& in) {
    const auto x = in[0].to_vector<double>();
    std::vector<double> y;
    Index at(shape.size(), 0);
    for (std::int64_t n = element_count(shape); n > 0; --n) {
      std::int64_t flat = 0;
      const Index source = from(at);
      for (std::size_t d = 0; d < source.size(); ++d) {
        flat = flat * in[0].shape()[d] + source[d];
      }
      y.push_back(x[index(flat)]);
      for (std::size_t d = shape.size(); d-- > 0 && ++at[d] == shape[d];) at[d] = 0;
    }
    return from_vector(y, shape);
  };
}

// The same elements in another shape.
inline Fn same_elements(const Shape& shape) {
  return [shape](const Tensors& in) { return from_vector(in[0].to_vector<double>(), shape); };
}

inline OpCheck moving(const std::string& name, const Shape& x, const Fn& op, const Fn& oracle) {
  // Nothing is computed on the way there; on the way back some elements are sums.
  return {.name = name + to_string(x),
          .fn = op,
          .oracle = oracle,
          .inputs = {sample(x)},
          .dtypes = kAllDTypes,
          .rounding = 1,
          .gradient_scale = 4};
}

// What `call` refuses to do with zeros of shape [2, 3].
template <class E = ShapeError>
Refusal refused(const char* message, std::function<void(const Tensor& x)> call) {
  return refusal<E>(message, [call] { call(zeros({2, 3})); });
}

}  // namespace crocuta::test
