// What other programs on the machine cost: a training step, generation of 200 tokens, and a small
// two-layer network, beside 0, 1 and 2 processes that keep a core busy each.
//
//   bench_busy [threads [rounds]]
//
// Prints the time with all threads over the time with one thread under the same load, which is
// at most 1 where threads help or at least do not hurt. Both take turns in one process.
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <iomanip>
#include <iostream>
#include <string>
#include <vector>

#include "bench/harness.h"
#include "examples/hyena/decode.h"
#include "framework/nn/optimizer.h"
#include "framework/ops/ops.h"
#include "framework/tensor/random.h"
#include "kernels/cpu/parallel.h"
#include "layers/hyena/lm.h"

using namespace crocuta;

namespace {

// A process that computes until this one ends or destroys it.
class BusyProcess {
 public:
  BusyProcess() {
    const pid_t parent = getpid();
    child_ = fork();
    if (child_ < 0) {
      std::perror("bench_busy: fork");
      std::exit(1);
    }
    if (child_ != 0) return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (volatile unsigned long work = 0; getppid() == parent;) {
      for (int i = 0; i < 1000000; ++i) work = work + 1;
    }
    _exit(0);
  }
  ~BusyProcess() {
    kill(child_, SIGKILL);
    waitpid(child_, nullptr, 0);
  }
  BusyProcess(const BusyProcess&) = delete;
  BusyProcess& operator=(const BusyProcess&) = delete;

 private:
  pid_t child_;
};

Tensor random_ids(std::int64_t B, std::int64_t L, std::int64_t V) {
  std::vector<std::int64_t> ids;
  for (const double u : rand({B, L}, {DType::float64, Device::cpu()}).to_vector<double>()) {
    ids.push_back(static_cast<std::int64_t>(u * static_cast<double>(V)));
  }
  return from_vector(ids, {B, L}, Device::cpu());
}

HyenaLM::Options small_model() {
  return {.vocab_size = 16,
          .hyena = {.d_model = 64, .l_max = 256, .n_layers = 2, .device = Device::cpu()}};
}

// One step of the bundled example's size: d 64, two blocks, 32 sequences of 128 tokens.
std::function<void()> training_step() {
  struct State {
    HyenaLM model{small_model()};
    AdamW optimizer{model.named_parameters(), {.learning_rate = 1e-3}};
    Tensor ids = random_ids(32, 128, 16), targets = random_ids(32, 128, 16);
  };
  auto state = std::make_shared<State>();
  return [state] {
    cross_entropy(state->model.forward(state->ids), state->targets).backward();
    state->optimizer.step(clip_factor(gradient_norm(state->model.parameters()), 1.0));
    state->optimizer.zero_grad();
  };
}

std::function<void()> generation() {
  auto model = std::make_shared<HyenaLM>(small_model());
  model->train(false);
  return [model] { hyena::continue_sequence(*model, {1, 2, 3, 4}, {.max_tokens = 200}); };
}

// 200 steps of a 16 -> 256 -> 1 network on 256 samples: many short loops, as in a first lesson.
std::function<void()> small_network() {
  struct State {
    Tensor x = randn({256, 16}, {.device = Device::cpu()});
    Tensor target = randn({256, 1}, {.device = Device::cpu()});
    Tensor up = randn({256, 16}, {.device = Device::cpu()}).set_requires_grad();
    Tensor down = randn({1, 256}, {.device = Device::cpu()}).set_requires_grad();
    AdamW optimizer{{{"up", up}, {"down", down}}, {.learning_rate = 1e-3}};
  };
  auto state = std::make_shared<State>();
  return [state] {
    for (int step = 0; step < 200; ++step) {
      const Tensor error = linear(gelu(linear(state->x, state->up)), state->down) - state->target;
      mean(error * error).backward();
      state->optimizer.step();
      state->optimizer.zero_grad();
    }
  };
}

bench::Candidate with_threads(int threads, const std::function<void()>& run) {
  return {str(threads), [=] {
            kernels::set_thread_count(threads);
            run();
          }};
}

}  // namespace

int main(int argc, char** argv) {
  const int threads = argc > 1 ? std::atoi(argv[1]) : kernels::thread_count();
  const int rounds = argc > 2 ? std::atoi(argv[2]) : 7;
  std::cout << bench::machine() << "\ntime with " << threads
            << " threads over time with one, both beside k busy processes\n\n"
            << "| k | training step | generating 200 tokens | two-layer network |\n"
            << "| --- | --- | --- | --- |\n";
  for (int k = 0; k <= 2; ++k) {
    std::vector<std::unique_ptr<BusyProcess>> busy;
    for (int i = 0; i < k; ++i) busy.push_back(std::make_unique<BusyProcess>());
    std::cout << "| " << k;
    for (const auto& run : {training_step(), generation(), small_network()}) {
      const std::vector<bench::Timing> t =
          bench::compare({with_threads(threads, run), with_threads(1, run)}, rounds, 0.3);
      std::cout << std::fixed << std::setprecision(2) << " | " << t[0].median / t[1].median << " ("
                << std::setprecision(1) << 1e3 * t[0].median << " / " << 1e3 * t[1].median << " ms)"
                << std::flush;
    }
    std::cout << " |\n";
  }
}
