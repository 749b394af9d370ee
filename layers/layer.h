// Layer: a module that maps one tensor to another, on one rank or on a context-parallel group.
#pragma once

#include <functional>
#include <string>

#include "distributed/process_group.h"
#include "framework/nn/module.h"
#include "layers/state.h"

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

  // Decoding: the output for the samples of x that follow those which `state` has seen, as forward()
  // would give it for all of them together: the same whatever the cutting, up to rounding. x has any
  // number of samples. Dropout is off, no graph is recorded, and ranks do not share the work.
  //
  //   State state(batch);
  //   Tensor y = model.extend(prompt, state);
  //   y = model.extend(next, state);
  //
  // Throws ArgumentError, naming the layer, where one does not say how it is extended or cannot be;
  // ShapeError unless x has the state's batch, and what forward() throws. A call that is refused for
  // its arguments leaves the state of a model of this library as it was; after a call that failed
  // otherwise, for want of memory say, a state refuses to be used.
  Tensor extend(const Tensor& x, State& state);
  // The dimension of x that is time.
  virtual int time_dimension() const { return 1; }

 protected:
  // f(x), in sight of this thread's LayerObserver as a call of this layer: for what a layer does
  // beside forward().
  Tensor observed(const Tensor& x, const std::function<Tensor(const Tensor& x)>& f);

  // What extend() does; layers call their children's extend(). This one throws.
  virtual Tensor extend_forward(const Tensor& x, State& state);

 private:
  std::string class_name() const;
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
