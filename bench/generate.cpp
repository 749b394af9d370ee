// What a generated token costs: by HyenaLM::extend(), which keeps a state, beside a forward pass over
// all tokens so far for each one.
//
//   bench_generate [threads]
//
// The forward passes are timed at every 64th length and stand for those between.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <vector>

#include "bench/harness.h"
#include "framework/device/threads.h"
#include "framework/ops/ops.h"
#include "framework/tensor/autograd.h"
#include "framework/tensor/random.h"
#include "layers/hyena/lm.h"

using namespace crocuta;

namespace {

double seconds(const std::function<void()>& f) {
  const auto start = std::chrono::steady_clock::now();
  f();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + std::ssize(values) / 2, values.end());
  return values[values.size() / 2];
}

Tensor ids(std::int64_t count) {
  return (rand({1, count}) * 15.99).to(DType::int64);
}

// The seconds that each of `count` tokens took after a prompt.
std::vector<double> one_by_one(HyenaLM& model, State& state, std::int64_t count) {
  std::vector<double> times;
  for (std::int64_t i = 0; i < count; ++i) {
    const Tensor next = ids(1);
    times.push_back(seconds([&] { model.extend(next, state); }));
  }
  return times;
}

HyenaLM::Options options(std::int64_t d_model, std::int64_t n_layers, std::int64_t l_max) {
  return {.vocab_size = 16, .hyena = {.d_model = d_model, .l_max = l_max, .n_layers = n_layers}};
}

double around(const std::vector<double>& times, std::size_t at) {
  return median({times.begin() + static_cast<std::ptrdiff_t>(at) - 8,
                 times.begin() + static_cast<std::ptrdiff_t>(at) + 8});
}

void beside_forward() {
  constexpr std::int64_t kLength = 2048;
  HyenaLM model(options(256, 4, kLength));
  model.eval();
  State state = model.start();
  model.extend(ids(16), state);
  const std::vector<double> times = one_by_one(model, state, kLength - 16);
  double total = 0;
  for (const double time : times) total += time;
  double forward = 0;
  for (std::int64_t length = 64; length <= kLength; length += 64) {
    const Tensor x = ids(length);
    const NoGrad no_grad;
    forward += 64 * seconds([&] { model.forward(x); });
  }
  std::printf("d 256, 4 blocks, 2,048 tokens:\n");
  std::printf("  a token at position 10: %.0f us, at 1,000: %.0f us, ratio %.2f\n",
              around(times, 10) * 1e6, around(times, 984) * 1e6,
              around(times, 984) / around(times, 10));
  std::printf("  in total %.2f s; by forward passes %.0f s, %.0f times as long\n", total, forward,
              forward / total);
}

void long_sequence() {
  constexpr std::int64_t kLength = 65536;
  HyenaLM model(options(64, 2, kLength));
  model.eval();
  State state = model.start();
  std::vector<double> times = one_by_one(model, state, kLength);
  double total = 0;
  for (const double time : times) total += time;
  std::printf("d 64, 2 blocks, 65,536 tokens:\n");
  std::printf(
      "  %.1f us a token on average, the slowest %.0f ms; a copy of the state takes %.1f MB\n",
      total / static_cast<double>(kLength) * 1e6,
      *std::max_element(times.begin(), times.end()) * 1e3,
      static_cast<double>(state.bytes()) * 1e-6);
}

void prompt() {
  constexpr std::int64_t kLength = 8192;
  HyenaLM model(options(64, 2, 2 * kLength));
  model.eval();
  const Tensor x = ids(kLength);
  const std::vector<bench::Timing> timings = bench::compare({
      {"forward",
       [&] {
         const NoGrad no_grad;
         model.forward(x);
       }},
      {"extend",
       [&] {
         State state = model.start();
         model.extend(x, state);
       }},
  });
  std::printf("a prompt of 8,192 tokens, d 64, 2 blocks:\n");
  std::printf("  extend %.0f ms, %.2f times a forward pass\n", timings[1].median * 1e3,
              timings[1].median / timings[0].median);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1) set_num_threads(std::atoi(argv[1]));
  std::cout << bench::machine() << std::endl;
  beside_forward();
  long_sequence();
  prompt();
}
