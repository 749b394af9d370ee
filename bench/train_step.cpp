// Times one training step of the Hyena language model: forward, cross-entropy, backward, clipping,
// AdamW. bench/train_step.sh runs it alternately with the same step in PyTorch.
//
//   bench_train_step [--device cuda] [--dtype bfloat16]
//                    [d_model n_layers length batch vocabulary steps]
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <string_view>
#include <vector>

#include "bench/harness.h"
#include "framework/nn/optimizer.h"
#include "framework/ops/ops.h"
#include "framework/tensor/random.h"
#include "layers/hyena/lm.h"

using namespace crocuta;

namespace {

constexpr int kWarmUp = 3;

Tensor random_ids(std::int64_t B, std::int64_t L, std::int64_t V, Device device) {
  const Tensor uniform = rand({B, L}, {DType::float64, Device::cpu()});
  std::vector<std::int64_t> ids;
  for (const double u : uniform.to_vector<double>()) {
    ids.push_back(static_cast<std::int64_t>(u * static_cast<double>(V)));
  }
  return from_vector(ids, {B, L}, device);
}

void run(int argc, char** argv) {
  std::int64_t sizes[] = {128, 2, 1024, 8, 16, 7};  // d_model, n_layers, L, B, V, steps
  Device device = Device::cpu();
  DType dtype = DType::float32;
  for (int i = 1, size = 0; i < argc && size < 6; ++i) {
    if (std::string_view(argv[i]) == "--device" && i + 1 < argc) {
      device = parse_device(argv[++i]);
    } else if (std::string_view(argv[i]) == "--dtype" && i + 1 < argc) {
      dtype = parse_dtype(argv[++i]);
    } else {
      sizes[size++] = std::atoll(argv[i]);
    }
  }
  set_default_device(device);
  const auto [d, n, L, B, V, steps] = sizes;

  HyenaLM model(
      {.vocab_size = V,
       .hyena = {.d_model = d, .l_max = L, .n_layers = n, .dtype = dtype, .device = device}});
  const HyenaLM::Groups groups = model.parameter_groups();
  AdamW optimizer({{.parameters = groups.decay, .weight_decay = 0.1},
                   {.parameters = groups.no_decay, .weight_decay = 0}},
                  {.learning_rate = 1e-3});
  const std::vector<Tensor> parameters = model.parameters();
  const Tensor ids = random_ids(B, L, V, device), targets = random_ids(B, L, V, device);

  std::vector<double> milliseconds;
  double loss_value = 0;
  for (std::int64_t step = 0; step < kWarmUp + steps; ++step) {
    const auto start = std::chrono::steady_clock::now();
    optimizer.zero_grad();
    const Tensor loss = cross_entropy(model.forward(ids), targets);
    loss.backward();
    optimizer.step(clip_factor(gradient_norm(parameters), 1.0));
    synchronize(device);
    const std::chrono::duration<double, std::milli> time = std::chrono::steady_clock::now() - start;
    if (step >= kWarmUp) milliseconds.push_back(time.count());
    loss_value = loss.item();
  }
  std::sort(milliseconds.begin(), milliseconds.end());
  std::cout << milliseconds[milliseconds.size() / 2] << " ms, loss " << loss_value;
  if (device.is_cuda() && bench::is_emulated()) std::cout << " (EMULATED: the time means nothing)";
  std::cout << '\n';
}

}  // namespace

int main(int argc, char** argv) {
  try {
    run(argc, argv);
  } catch (const Error& e) {  // no such device
    std::cerr << "bench_train_step: error: " << e.what() << '\n';
    return 1;
  }
}
