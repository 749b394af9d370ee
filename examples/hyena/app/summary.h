// The closing words of a run: what was learned, examples of it, where the files are, what to do
// next.
#pragma once

#include <string>
#include <vector>

#include "examples/hyena/trainer.h"

namespace crocuta::hyena {

// What continues the run in `root` on as many ranks: a command that can be pasted.
std::string resuming_command(const Options& options, const std::string& root);

// Runs the model, without the other ranks, for the examples. `root` is the directory of the run's
// files, to which its last step has been saved. Lines that begin with a blank are not to be broken.
std::vector<std::string> summary(const Task& task, Trainer& trainer, const Options& options,
                                 const std::string& root, const Evaluation& result, double seconds);

}  // namespace crocuta::hyena
