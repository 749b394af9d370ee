// Layer: a module that maps one tensor to another, on one rank or on a context-parallel group.
#pragma once

#include "distributed/process_group.h"
#include "framework/module.h"

namespace crocuta {

class Layer : public Module {
 public:
  // The layer's output for `x`; each layer says which shapes. On a context-parallel group `cp`, x
  // and the result are this rank's shards, and all ranks call forward() together; by default the
  // caller is alone. Arguments are checked alike on all ranks, before anything is sent.
  virtual Tensor forward(const Tensor& x, const ProcessGroup& cp = ProcessGroup()) = 0;
};

}  // namespace crocuta
