// One rank against P ranks, layer by layer.
#pragma once

#include "distributed/process_group.h"
#include "framework/base/config.h"
#include "layers/inspect/trace.h"

namespace crocuta {

// What is compared: a registered layer on an input.
struct CpSubject {
  std::string layer;
  Config config;
  // Empty: the layer's own, with N(0, 0.1^2) added so that no zero hides anything.
  StateDict params;
  Tensor x;           // the whole input
  int shard_dim = 1;  // along which the ranks share it
  std::uint64_t seed = 0;
};

// One forward and backward pass of the subject, all of it written down. The gradient of the output
// is random.
struct CpRun {
  std::unique_ptr<Layer> layer;
  LayerCalls calls;
};
// Alone. Throws what making and calling the layer throws.
CpRun run_alone(const CpSubject& subject);
// On the ranks of `group`, of which each calls this with the run of one. Throws an Error that names
// the layer at work when the subject throws.
CpRun run_on_ranks(const CpSubject& subject, const CpRun& alone, const ProcessGroup& group);

// Differences of one layer: the largest of any element, divided by the largest element of one
// rank's tensor. NaN where there is nothing to compare; infinite if a number is not finite, or if
// the ranks' tensors are neither parts of one rank's nor as large as it.
struct LayerDifference {
  std::string name;
  double output, grad_output, grad_input;
  double grad_parameters;  // of the layer and of what it uses without calling it
  std::string parameter;   // the one that differs most
  int began, ended;
};
struct CpReport {
  std::vector<LayerDifference> layers;  // in the order in which they finish
  std::string first;  // which differs first by more than the tolerance, and in what; "" if none
};
// All ranks of `group` call this together and get the same report. A tensor that all ranks hold
// whole counts as a copy when going forward; its gradients are added up.
CpReport compare(const CpRun& alone, const CpRun& mine, const ProcessGroup& group,
                 double tolerance);

}  // namespace crocuta
