// The closing words of a run: what was learned, examples of it, where the files are, what to do
// next.
#pragma once

#include <string>
#include <vector>

#include "examples/hyena/run_plan.h"
#include "examples/hyena/trainer.h"

namespace crocuta::hyena {

// Runs the model, without the other ranks, for the examples.
std::vector<std::string> summary(const Task& task, Trainer& trainer, const RunPlan& plan,
                                 const Evaluation& result, double seconds);

}  // namespace crocuta::hyena
