// Reverse-mode automatic differentiation.
//
// An op computes its result and then records how to go back:
//
//   return record("silu", y, {x}, [x = saved("x", x)](const Tensor& dy) -> Grads {
//     return {silu_backward(dy, x)};
//   });
//
// The graph is made of Nodes, newest first; backward() visits them in exactly the reverse of the
// order in which they were recorded, so gradients are summed in a fixed order.
#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "framework/tensor/tensor.h"

namespace crocuta {

// One gradient per input of the op; an undefined tensor where none flows.
using Grads = std::vector<Tensor>;

namespace autograd {

// One recorded op. An input is another op's node, or a leaf, or nothing that needs a gradient.
struct Node {
  struct Input {
    std::shared_ptr<Node> node;
    Tensor leaf;
    Shape shape;
    TensorOptions options;
  };
  const char* name;
  std::uint64_t sequence;  // rises with every node this thread records
  std::vector<Input> inputs;
  std::function<Grads(const Tensor& dy, const Tensor& y)> backward;  // empty once it has run
  Tensor output;  // the op's result outside the graph, if `backward` asked for it
  std::uint64_t output_version = 0;
};

// Adds d(objective)/d(leaf) to the gradient of every leaf that `y` depends on, given
// dy = d(objective)/d(y). Releases the graph as it goes: a second walk throws an Error. Throws
// ShapeError, DTypeError or DeviceError unless dy matches y.
void backward(const Tensor& y, const Tensor& dy);

// True unless a NoGrad is alive on this thread.
bool is_recording();

namespace detail {
Tensor record(const char* name, Tensor y, const std::vector<Tensor>& inputs,
              std::function<Grads(const Tensor&, const Tensor&)> backward, bool needs_output);
}
}  // namespace autograd

// While one lives, ops on this thread record nothing.
class NoGrad {
 public:
  NoGrad();
  ~NoGrad();
  NoGrad(const NoGrad&) = delete;
  NoGrad& operator=(const NoGrad&) = delete;

 private:
  bool previous_;
};

// A tensor (or an undefined one) kept for the backward pass: outside the graph, and checked on use.
// Reading it after its elements were changed in place throws an Error that names the op and it.
class SavedTensor {
 public:
  SavedTensor(const char* name, const Tensor& tensor);
  operator const Tensor&() const { return get(); }
  bool defined() const { return tensor_.defined(); }
  const Tensor& get() const;

 private:
  const char* name_;
  Tensor tensor_;
  std::uint64_t version_ = 0;
};
inline SavedTensor saved(const char* name, const Tensor& tensor) {
  return {name, tensor};
}

// Makes `y` the result of op `name` on `inputs` and returns it. `backward` takes dy, contiguous and
// of y's shape and dtype, or (dy, y), and returns one gradient per input, of the input's shape and
// dtype. It is dropped at once when no input needs a gradient. An op must not capture y itself
// (a cycle); it asks for it as the second argument.
template <class F>
Tensor record(const char* name, Tensor y, const std::vector<Tensor>& inputs, F backward) {
  if constexpr (std::invocable<F, const Tensor&, const Tensor&>) {
    return autograd::detail::record(name, std::move(y), inputs, std::move(backward), true);
  } else {
    return autograd::detail::record(
        name, std::move(y), inputs,
        [backward = std::move(backward)](const Tensor& dy, const Tensor&) { return backward(dy); },
        false);
  }
}

}  // namespace crocuta
