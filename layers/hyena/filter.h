// The implicit filter of Hyena (Poli et al. 2023, arXiv 2302.10866, section 3.3): a small network
// with sine activations maps the position of a tap to its value in every channel.
#pragma once

#include "framework/nn/module_list.h"
#include "layers/hyena/options.h"
#include "layers/linear.h"

namespace crocuta {

// With positions i < l_max, t_i = i / (l_max - 1) and w_i = 2 pi i / l_max (l_max 1: t_0 = 0):
//
//   z_i = [t_i, cos(f_j w_i) for each j, -sin(f_j w_i) for each j]      j < bands = (E - 1) / 2
//   a_i = sin(freq * (W3 sin(freq * (W2 sin(freq * (W1 z_i + b1)) + b2)) + b3))            in R^M
//   k[c, i] = (W4 a_i)[c] * (exp(-t_i |delta_c|) + shift)
//
// f is linspace(1e-4, bands - 1, bands); delta linspace(ln(0.01) / 1.5, ln(0.01) / 0.3, d), so that
// channels decay at different rates; a linspace of one point is its start. z and the decay are
// constants, computed in float64 and kept, and no part of the state. shift is the option
// filter_shift: 0, or 0.05 in the published inference code of HyenaDNA.
//
// Parameters: layers.{0,1,2}.{weight,bias}, layers.3.weight [d, M], freq [M], initially w, and
// skip [d] ~ N(0, 1), the weight of the current sample beside the filter (D in the paper).
//
// All arithmetic, and the results, are in float32 for 16-bit parameters, else in their dtype.
class HyenaFilter : public Module {
 public:
  // Throws ArgumentError, DTypeError or DeviceError for options out of range.
  explicit HyenaFilter(const HyenaOptions& options);

  // The first `length` taps of the channels of this rank, k [d/P, length]: rank r's channels are
  // [r*d/P, (r+1)*d/P), and only their rows of W4 and of the decay are evaluated. Throws ShapeError
  // if length exceeds l_max, ArgumentError unless P divides d.
  Tensor taps(std::int64_t length, const ProcessGroup& cp = ProcessGroup::self()) const;

  // This rank's part of skip, [d/P].
  Tensor local_skip(const ProcessGroup& cp = ProcessGroup::self()) const;

 private:
  DType compute_dtype() const;
  // The constants for this rank's channels and at least the first `length` positions.
  void prepare(std::int64_t length, std::int64_t first_channel, std::int64_t channels) const;

  const HyenaOptions options_;
  ModuleList<Linear>& layers_;
  Tensor freq_, skip_;

  // Made by the first call and whenever it needs others; one thread uses a layer at a time.
  mutable Tensor features_;  // z [positions, E]
  mutable Tensor decay_;     // [channels, positions]
  mutable std::int64_t first_channel_ = 0;
};

// The constants, in float64 on the CPU, as other programs store them: z [positions, E], and delta [d].
Tensor hyena_filter_features(std::int64_t positions, std::int64_t l_max, std::int64_t emb_dim);
Tensor hyena_filter_rates(std::int64_t d_model);

}  // namespace crocuta
