// Does a model look ahead?
#pragma once

#include <string>
#include <vector>

#include "layers/layer.h"

namespace crocuta {

// How much one layer knows of the future: the largest change of any element of a kind, divided by
// the largest such element. NaN where there is nothing to compare.
struct LookAhead {
  std::string layer;  // its dotted path, "" for the model itself
  double output;      // before the cut
  // Of its output and input, given a gradient that comes from before the cut only: how far they
  // move there, and how large they are from the cut on, where they should be zero.
  double grad_output, grad_input;
};
struct CausalityReport {
  std::vector<LookAhead> layers;  // in the order in which they finish
  double parameters = 0;          // how far the gradient of a parameter moves, from the same
  std::string parameter;          // the one that moves most
  // Where something first exceeds the tolerance, and by how much: outputs in the order in which
  // they are computed, then gradients on the way back. "" if nothing does.
  std::string first;

  double worst_output() const;
  double worst_gradient() const;
};

// Runs a layer [B, L/P, ..] → [B, L/P, ..] and back on x and on `changed`, which equal each other
// at all positions of the whole sequence before `cut`, and compares. Sequences lie on the ranks of
// `cp` in contiguous parts; all ranks call this together. Of the layers within, those that keep
// this shape are compared, and the depthwise convolutions. Dropout is off meanwhile, and the
// parameters' gradients are cleared. What a Fourier transform rounds spreads over the whole
// sequence: allow for it in the tolerance (causality_tolerance()).
CausalityReport check_causality(Layer& model, const Tensor& x, const Tensor& changed,
                                std::int64_t cut, double tolerance,
                                const ProcessGroup& cp = ProcessGroup::self());

// What rounding in this dtype may move in a few layers.
double causality_tolerance(DType dtype);

}  // namespace crocuta
