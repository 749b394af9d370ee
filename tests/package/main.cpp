// Prints the layers that are registered, and makes and runs one of them by name.
#include <iostream>

#include "layers/layer.h"
#include "layers/registry.h"

int main() {
  using namespace crocuta;
  for (const std::string& name : layer_names()) std::cout << name << '\n';
  const auto conv = make_layer("DistributedDepthwiseConv1d",
                               Config::parse(R"({"hidden_dim": 2, "kernel_size": 3})"));
  const Tensor y = (*conv)(ones({1, 2, 5}));
  return y.shape() == Shape{1, 2, 5} ? 0 : 1;
}
