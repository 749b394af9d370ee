// train_hyena --check-causal: does the model look ahead?
#pragma once

#include "distributed/process_group.h"
#include "examples/hyena/app/run_plan.h"

namespace crocuta::hyena {

// Changes the later tokens of some training sequences and looks at what the model, new or from the
// plan's checkpoint, makes of the earlier ones: outputs and gradients must not move by more than
// rounding. All ranks of `world` call this together; rank 0 prints. Trains and writes nothing.
// Returns the exit status: 0, or 1 if the model looks ahead. Throws as run_session() does.
int run_causality_check(const ProcessGroup& world, const RunPlan& plan);

}  // namespace crocuta::hyena
