// Runs small enough for tests.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "distributed/backends/threads.h"
#include "examples/hyena/trainer.h"
#include "framework/base/sha256.h"

namespace crocuta::test {

// Recall with 6 symbols on a model of a few thousand parameters.
inline hyena::Options tiny_options() {
  hyena::Options o;
  o.symbols = 6;
  o.seq_len = 14;  // 16 with the question
  o.test_sequences = 16;
  o.model.d_model = 8;
  o.model.n_layers = 2;
  o.model.filter_order = 8;
  o.batch_size = 4;
  o.steps = o.schedule_steps = 40;
  o.warmup_steps = 5;
  o.learning_rate = 5e-3;
  return o;
}

// A task and its trainer, on one rank or as one of several.
struct TinyRun {
  explicit TinyRun(const hyena::Options& options, const ProcessGroup& world = ProcessGroup::self())
      : task(hyena::make_task(options)),
        trainer(options, *task, make_parallel(world, static_cast<int>(options.cp))) {}

  std::vector<double> train(std::int64_t steps) {
    std::vector<double> losses;
    for (std::int64_t i = 0; i < steps; ++i) losses.push_back(trainer.step().loss);
    return losses;
  }
  // The digest of every bit that a checkpoint holds, or of its tensors alone.
  std::string state(bool texts = true) const {
    const CheckpointContents contents = trainer.contents();
    std::string all;
    for (const auto& [file, text] : contents.texts) {
      if (texts) all += file + text;
    }
    for (const auto& [file, tensors] : contents.tensors) {
      for (const auto& [name, tensor] : tensors) {
        const Tensor t = tensor.to(Device::cpu()).contiguous();
        all += file + name;
        all.append(static_cast<const char*>(t.raw_data()),
                   static_cast<std::size_t>(t.numel()) * size_of(t.dtype()));
      }
    }
    return sha256_hex(all);
  }

  std::unique_ptr<hyena::Task> task;
  hyena::Trainer trainer;
};

// The losses of `steps` steps of a run on `ranks` threads.
inline std::vector<double> losses_on(int ranks, const hyena::Options& options, std::int64_t steps) {
  std::vector<double> losses;
  run_ranks(ranks, [&](const ProcessGroup& world) {
    const auto mine = TinyRun(options, world).train(steps);
    if (world.rank() == 0) losses = mine;
  });
  return losses;
}

}  // namespace crocuta::test
