// Prints the layers that are registered; then trains, saves and loads a model with one of its own,
// and checks gradients.
#include <crocuta/crocuta.h>
#include <crocuta/testing.h>

#include <iostream>

#include "framework/json.h"
#include "layers/layer.h"

using namespace crocuta;

class Net : public Module {
 public:
  Net() : linear_(child<Linear>("linear", {.in_features = 3, .out_features = 1})) {
    for (int i = 0; i < outside::kLayers; ++i) {
      child("cubes" + std::to_string(i), make_layer("Cubes", Config()));
    }
  }
  Tensor forward(const Tensor& x) { return linear_(x); }

 private:
  Linear& linear_;
};

double train(Net& net) {
  AdamW optimizer(net.named_parameters(), {.learning_rate = 0.05, .weight_decay = 0});
  const Tensor x = randn({64, 3}), y = sum(x * tensor({1, -2, 3}), 1);
  double loss_value = 0;
  for (int step = 0; step < 200; ++step) {
    const Tensor loss = mse_loss(squeeze(net.forward(x), 1), y);
    loss.backward();
    optimizer.step();
    optimizer.zero_grad();
    loss_value = loss.item();
  }
  return loss_value;
}

int main() {
  for (const std::string& name : layer_names()) std::cout << name << '\n';
  Net net;
  if (!(train(net) < 0.01)) return 1;
  save_safetensors(outside::kFile, net.state_dict());
  save_safetensors("in.safetensors", {{"input.0", randn({2, 3})}});  // for run_layer
  Net loaded;
  loaded.load_state_dict(load_safetensors(outside::kFile).tensors);
  if (!equal(loaded.forward(ones({2, 3})), net.forward(ones({2, 3})))) return 1;

  const auto cubes = make_layer("Cubes", Config::parse(R"({"dtype": "float64"})"));
  const std::string mismatch = testing::gradient_mismatch(
      [&](const std::vector<Tensor>& x) { return (*cubes)(x[0]); }, {testing::sample({2, 3})});
  std::cerr << mismatch;
  return mismatch.empty() ? 0 : 1;
}
