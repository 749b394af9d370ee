// State: what layers keep of the samples so far, so that extend() can go on from there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

#include "framework/tensor/tensor.h"

namespace crocuta {

class Layer;

// One state belongs to one model, whose layers find what they kept by their address. A copy goes on by
// itself: to branch, to search with beams, to take something back. Results do not depend on which
// copy is used first.
class State {
 public:
  // What a layer keeps: tensors that it changes in place, and tensors that it never does, which
  // copies share.
  struct Kept {
    std::vector<Tensor> changing, constant;
  };

  // Of a model that nothing has been given to, for `batch` sequences of equal length. Throws
  // ArgumentError unless batch >= 0.
  explicit State(std::int64_t batch = 1);
  State(const State& other);
  State& operator=(const State& other);
  State(State&&) = default;
  State& operator=(State&&) = default;

  std::int64_t batch() const { return batch_; }
  // Samples so far.
  std::int64_t position() const { return position_; }
  // What a copy takes: all but the tensors that it shares.
  std::size_t bytes() const;

  // For layers: what this one keeps, empty at first.
  const Kept& of(const Layer& layer) const;
  // The same, to be changed. If the call then fails, the state refuses to be used again: other layers
  // have not got the samples that this one has.
  Kept& change(const Layer& layer);

 private:
  friend class Layer;

  std::int64_t batch_, position_ = 0;
  bool in_call_ = false, changed_ = false, broken_ = false;
  std::map<const Layer*, Kept> kept_;
};

}  // namespace crocuta
