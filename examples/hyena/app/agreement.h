// What the ranks of a run have to agree on before they compute: programs, options, checkpoints,
// data.
#pragma once

#include <memory>

#include "distributed/process_group.h"
#include "examples/hyena/app/run_plan.h"
#include "examples/hyena/tasks/task.h"

namespace crocuta::hyena {

// Throws ArgumentError, on all ranks alike, naming what differs, ranks, hosts and values, unless
// all have planned the same run: version of the program, options, kind of device, contents of the
// checkpoint.
void require_same_plan(const ProcessGroup& world, const RunPlan& plan);

// make_task() on every rank. Throws SharedFailure, on all ranks alike, where that fails on one, and
// unless all have read the same data, naming files, ranks and hosts. Names may differ.
std::unique_ptr<Task> make_same_task(const ProcessGroup& world, const Options& options);

}  // namespace crocuta::hyena
