// The smoke test: where this passes, Crocuta works. Its first case is the README's quickstart.
#include <iostream>

#include "framework/nn/optimizer.h"
#include "framework/ops/ops.h"
#include "framework/tensor/random.h"
#include "layers/distributed_depthwise_conv1d.h"
#include "tests/support/catch.h"

using namespace crocuta;

TEST_CASE("the quickstart computes and learns what it says") {
  // A causal convolution with four taps: each output sees the current sample and three before it.
  DistributedDepthwiseConv1d conv({.hidden_dim = 1, .kernel_size = 4, .causal = true});
  conv.load_state_dict({{"weight", from_vector<float>({1, 10, 100, 1000}, {1, 4})}});

  const Tensor x = from_vector<float>({1, 2, 3, 4, 5}, {1, 1, 5});  // [batch, channels, length]
  const Tensor y = conv.forward(x);
  std::cout << y << '\n';  // 1000 2100 3210 4321 5432

  sum(y).backward();
  std::cout << conv.weight().grad() << '\n';  // 3 6 10 15

  CHECK(y.to_vector() == std::vector<float>{1000, 2100, 3210, 4321, 5432});
  CHECK(conv.weight().grad().to_vector() == std::vector<float>{3, 6, 10, 15});

  // Another convolution learns the first one's filter from what it sees of inputs and outputs.
  conv.load_state_dict({{"weight", from_vector<float>({0.25, -0.5, 1, 0.75}, {1, 4})}});
  DistributedDepthwiseConv1d pupil({.hidden_dim = 1, .kernel_size = 4, .causal = true});
  AdamW optimizer(pupil.named_parameters(), {.learning_rate = 0.05, .weight_decay = 0});
  double loss_value = 0;
  for (int step = 0; step < 300; ++step) {
    const Tensor input = randn({8, 1, 32});
    const Tensor error = pupil.forward(input) - conv.forward(input).detach();
    const Tensor loss = mean(error * error);
    loss.backward();
    optimizer.step();
    optimizer.zero_grad();
    loss_value = loss.item();
  }
  std::cout << "loss " << loss_value << ", " << pupil.weight() << '\n';  // 0.25 -0.5 1 0.75

  CHECK(loss_value < 1e-10);  // with seeds 0 to 9 below 2e-13
}
