// The training step, evaluation, and what a checkpoint holds: everything that computes. What is
// printed and saved when is decided in session.cpp.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "distributed/context_parallel.h"
#include "examples/hyena/options.h"
#include "examples/hyena/tasks/task.h"
#include "framework/io/checkpoint.h"
#include "framework/nn/optimizer.h"
#include "layers/hyena/lm.h"

namespace crocuta::hyena {

class Trainer {
 public:
  // Builds the model from options.seed, equal on all ranks, or with the parameters of a checkpoint.
  // Throws what its constructor throws, FormatError for parameters that are not the model's, and
  // ArgumentError for a pattern in options.freeze that describes none, and if all are frozen.
  Trainer(const Options& options, Task& task, const ParallelContext& parallel,
          const std::optional<Checkpoint>& initial = {});

  struct Step {
    double loss = 0;           // mean over the targets of the whole batch, in nats
    double accuracy = 0;       // over the same targets, if asked for
    double gradient_norm = 0;  // before clipping
    double learning_rate = 0;
    // Why the parameters were left as they were, naming the first bad tensor: the loss or the
    // gradient norm was not finite. Empty otherwise. The same on all ranks.
    std::string trouble;
  };
  // One step on the next batch; all ranks together. Parameters change only if loss and gradient are
  // finite.
  Step step(bool measure_accuracy = false);

  // The model on up to `rows` held-out sequences, spread evenly; all ranks together.
  Evaluation evaluate(std::int64_t rows);

  std::int64_t steps_done() const { return steps_done_; }
  std::int64_t tokens_per_step() const { return options_.batch_size * task_.length(); }
  HyenaLM& model() { return model_; }
  // Throws CommError unless all ranks hold the same parameters.
  void check_ranks_agree() const;

  // Parameters, optimizer state, random state, data position and configuration.
  CheckpointContents contents() const;
  // Continues where contents() were taken, bit for bit. No communication: each rank reads the
  // files. Throws FormatError or ArgumentError, having changed nothing, for files that do not fit
  // the model or another data set.
  void restore(const Checkpoint& checkpoint);

 private:
  struct Output {
    Tensor loss;  // this rank's part
    double correct = 0;
  };
  // Forward on this rank's part of `batch`; the loss is divided by `divisor`.
  Output forward(const Batch& batch, double divisor, bool measure_accuracy);
  std::string find_trouble(const char* what, double value, bool in_gradients) const;
  std::vector<double> sum_over_ranks(std::vector<double> values) const;

  const Options options_;
  Task& task_;
  const ParallelContext parallel_;
  HyenaLM model_;
  const std::vector<NamedTensor> parameters_;
  AdamW optimizer_;
  std::int64_t steps_done_ = 0;
  std::int64_t sequences_seen_ = 0;  // the data position
};

// The model that `options` describe.
HyenaLM::Options model_options(const Options& options);

// Calls `load`, which takes tensors that were read from the file at `path`. Where they do not fit,
// the file is to blame: throws FormatError, naming it.
void load_or_blame(const std::string& path, const std::function<void()>& load);

}  // namespace crocuta::hyena
