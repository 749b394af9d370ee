// A run, from reading the data to the closing summary, as one rank of it sees it.
#pragma once

#include "distributed/process_group.h"
#include "examples/hyena/app/run_plan.h"

namespace crocuta::hyena {

// Trains as planned; all ranks of `world` call this together. Rank 0 prints and saves. Returns the
// exit status: 0, 1 when training had to stop because of a NaN, 128 + n after signal n. Throws
// SharedFailure, on all ranks, where data, model or disk fail one of them, and CommError.
int run_session(const ProcessGroup& world, const RunPlan& plan);

}  // namespace crocuta::hyena
