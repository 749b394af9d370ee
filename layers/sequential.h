// Sequential: layers and functions one after the other.
//
//   Sequential net;
//   net.append<Linear>({.in_features = 3, .out_features = 16});
//   net.append(gelu);
//   net.append<Linear>({.in_features = 16, .out_features = 1});
//   const Tensor y = net(x);
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "layers/layer.h"

namespace crocuta {

// x → the last one's output for the output of the one before, and so on; x itself if there is none.
// Every layer gets the context-parallel group. Children are named by their place, functions
// included: "0", "2".
class Sequential : public Layer {
 public:
  using Function = std::function<Tensor(const Tensor& x)>;

  template <class T>
  T& append(std::unique_ptr<T> layer) {
    T& added = child(std::to_string(steps_.size()), std::move(layer));
    steps_.push_back({&added, {}});
    return added;
  }
  // A layer made from its options.
  template <class T>
  T& append(const typename T::Options& options) {
    return append(std::make_unique<T>(options));
  }
  // A function that needs no parameters, such as gelu.
  void append(Function function);

  std::size_t size() const { return steps_.size(); }

  // Throws what its layers and functions throw.
  Tensor forward(const Tensor& x, const ProcessGroup& cp = ProcessGroup::self()) override;
  // The first layer's. Functions take every sample by itself, or extend() is not what forward() is.
  int time_dimension() const override;

 private:
  Tensor extend_forward(const Tensor& x, State& state) override;

  struct Step {
    Layer* layer;  // null: the function
    Function function;
  };
  std::vector<Step> steps_;
};

}  // namespace crocuta
