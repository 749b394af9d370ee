// Layer: a module that maps one tensor to another, on one rank or on a context-parallel group.
#pragma once

#include "distributed/process_group.h"
#include "framework/nn/module.h"

namespace crocuta {

class Layer : public Module {
 public:
  // The layer's output for `x`; each layer says which shapes. On a context-parallel group `cp`, x
  // and the result are this rank's shards, and all ranks call forward() together; by default the
  // caller is alone. Arguments are checked alike on all ranks, before anything is sent.
  virtual Tensor forward(const Tensor& x, const ProcessGroup& cp = ProcessGroup::self()) = 0;

  // forward(), in sight of this thread's LayerObserver if there is one. Layers call their children
  // in this way: norm_(x, cp).
  Tensor operator()(const Tensor& x, const ProcessGroup& cp = ProcessGroup::self());
};

// While one lives, it sees what goes into and comes out of every layer that is called as a function
// on this thread. Tools derive from it to look into a model (layers/inspect/trace.h).
class LayerObserver {
 public:
  LayerObserver();
  virtual ~LayerObserver();
  LayerObserver(const LayerObserver&) = delete;
  LayerObserver& operator=(const LayerObserver&) = delete;

  // Each returns what takes the tensor's place: itself, or one with the same elements. Calls nest
  // as the layers do; a layer that throws is not left.
  virtual Tensor enter(const Layer& layer, const Tensor& x) = 0;
  virtual Tensor leave(const Layer& layer, const Tensor& y) = 0;

 private:
  LayerObserver* previous_;
};

}  // namespace crocuta
