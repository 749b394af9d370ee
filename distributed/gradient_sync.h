// Parameters are replicated: equal on all ranks at the start, and kept equal by adding up the
// gradients before each step.
#pragma once

#include <vector>

#include "distributed/process_group.h"
#include "framework/nn/module.h"

namespace crocuta {

// Replaces every parameter's gradient by its sum over the ranks, in rank order: the same bits on
// all ranks. One all_reduce per dtype; 16-bit gradients are summed in float32 and rounded once. A
// parameter without a gradient counts as, and gets, zeros, on the group of one too; a frozen one, which
// requires none, is left alone.
void sync_gradients(const std::vector<Tensor>& parameters, const ProcessGroup& group);

// Throws CommError, on all ranks alike, naming the first parameter whose name, shape, dtype or bits
// are not the same on all ranks, and two ranks that differ.
void check_same_parameters(const std::vector<NamedTensor>& parameters, const ProcessGroup& group);

}  // namespace crocuta
