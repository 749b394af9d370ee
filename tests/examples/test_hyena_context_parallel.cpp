// The Hyena model on several ranks gives the loss and gradients of one.
#include <cmath>
#include <mutex>

#include "distributed/backends/threads.h"
#include "distributed/gradient_sync.h"
#include "framework/ops/ops.h"
#include "framework/tensor/random.h"
#include "layers/hyena/lm.h"
#include "tests/layers/layer_checks.h"
#include "tests/support/catch.h"

namespace crocuta::test {
namespace {

constexpr std::int64_t kBatch = 2, kLength = 24, kVocabulary = 7;
constexpr std::int64_t kIgnored = -100;

struct Outcome {
  double loss = 0;
  double norm = 0;
  StateDict grads;
};

HyenaLM::Options options(DType dtype, Sharding sharding, double dropout) {
  return {.vocab_size = kVocabulary,
          .hyena = {.d_model = 12,
                    .l_max = kLength,
                    .filter_order = 8,
                    .n_layers = 2,
                    .dropout = dropout,
                    .sharding = sharding,
                    .dtype = dtype}};
}

// One forward and backward pass as a training step does it: labels shifted before the sequence is
// split, the loss a sum over this rank's tokens divided by the number of all of them.
Outcome step(const HyenaLM::Options& o, const ProcessGroup& cp) {
  HyenaLM model(o);
  randomize(model);
  std::vector<std::int64_t> tokens, labels;
  for (std::int64_t i = 0; i < kBatch * (kLength + 1); ++i) {
    if (i % (kLength + 1) < kLength) tokens.push_back((i * i + 3 * i) % kVocabulary);
    // Half of the labels do not count, so that with four ranks one has no target at all.
    if (i % (kLength + 1) > 0) {
      labels.push_back(i % (kLength + 1) <= kLength / 2 ? kIgnored : (i * i + 3 * i) % kVocabulary);
    }
  }
  const auto local = [&](const std::vector<std::int64_t>& values) {
    return shard_sequence(from_vector(values, {kBatch, kLength}), 1, cp, o.hyena.sharding)
        .contiguous();
  };
  manual_seed(8);  // of dropout
  const Tensor logits = model.forward(local(tokens), cp);
  const Tensor loss = cross_entropy(logits, local(labels),
                                    {.ignore_index = kIgnored,
                                     .reduction = Reduction::sum,
                                     .divisor = static_cast<double>(kBatch * kLength / 2)});
  loss.backward();
  sync_gradients(model.parameters(), cp);
  Outcome outcome;
  outcome.loss = cp.all_reduce(loss.detach()).item();
  for (const NamedTensor& p : model.named_parameters()) {
    outcome.grads[p.name] = p.tensor.grad();
    for (const double g : p.tensor.grad().to_vector<double>()) outcome.norm += g * g;
  }
  outcome.norm = std::sqrt(outcome.norm);
  return outcome;
}

void check_agreement(const HyenaLM::Options& o, double tolerance) {
  const Outcome alone = step(o, ProcessGroup());
  for (const auto& [name, grad] : alone.grads) {  // otherwise nothing would be compared
    double largest = 0;
    for (const double g : grad.to_vector<double>()) largest = std::max(largest, std::abs(g));
    CAPTURE(name);
    CHECK(largest > 0);
  }
  for (const int P : {2, 3, 4}) {
    std::vector<Outcome> outcomes(static_cast<std::size_t>(P));
    run_ranks(P, [&](const ProcessGroup& cp) {
      outcomes[static_cast<std::size_t>(cp.rank())] = step(o, cp);
    });
    for (const Outcome& outcome : outcomes) {
      CAPTURE(P);
      CHECK(std::abs(outcome.loss - alone.loss) <= tolerance * std::abs(alone.loss));
      CHECK(std::abs(outcome.norm - alone.norm) <= tolerance * alone.norm);
      for (const auto& [name, grad] : outcome.grads) {
        CAPTURE(name);
        CHECK(close(grad, alone.grads.at(name), tolerance));
      }
    }
  }
}

}  // namespace

TEST_CASE("loss and all gradients agree for P = 1, 2, 3, 4 in float64") {
  check_agreement(options(DType::float64, Sharding::contiguous, 0), 1e-11);
}

TEST_CASE("loss and all gradients agree for P = 1, 2, 3, 4 in float32") {
  check_agreement(options(DType::float32, Sharding::contiguous, 0), 1e-5);
}

TEST_CASE("loss and all gradients agree with zigzag shards") {
  check_agreement(options(DType::float64, Sharding::zigzag, 0), 1e-11);
}

TEST_CASE("loss and all gradients agree with dropout") {
  check_agreement(options(DType::float64, Sharding::contiguous, 0.3), 1e-11);
}

TEST_CASE("parameters start equal whatever the number of ranks") {
  manual_seed(4);
  const HyenaLM alone(options(DType::float32, Sharding::contiguous, 0));
  CHECK_NOTHROW(run_ranks(3, [&](const ProcessGroup& cp) {
    manual_seed(4);
    const HyenaLM model(options(DType::float32, Sharding::contiguous, 0));
    check_same_parameters(model.named_parameters(), cp);
    for (const auto& [name, tensor] : model.state_dict()) {
      if (tensor.to_vector() != alone.state_dict().at(name).to_vector()) throw Error(name);
    }
  }));
}

}  // namespace crocuta::test
