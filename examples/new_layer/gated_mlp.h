// GatedMLP: an MLP whose inner activations are multiplied by a learned gate ("SwiGLU": Shazeer,
// "GLU Variants Improve Transformer", 2020, equation 6).
#pragma once

#include <crocuta/layers.h>

namespace example {

using namespace crocuta;

// x [.., d_model] → the same shape: down(silu(gate(x)) * up(x)). Children: gate and up, both
// [d_inner, d_model], and down [d_model, d_inner], all without bias. On a context-parallel group
// each rank works on its own x.
class GatedMLP : public Layer {
 public:
  struct Options {
    std::int64_t d_model = 0;  // required
    std::int64_t d_inner = 0;  // required
    DType dtype = DType::float32;
    Device device = default_device();
  };
  // Throws ArgumentError, DTypeError or DeviceError for options out of range.
  explicit GatedMLP(const Options& options);
  // Keys: d_model, d_inner, dtype, device.
  explicit GatedMLP(const Config& config);

  // Throws ShapeError, DTypeError or DeviceError unless x fits.
  Tensor forward(const Tensor& x, const ProcessGroup& cp = ProcessGroup::self()) override;

 private:
  Linear& gate_;
  Linear& up_;
  Linear& down_;
};

}  // namespace example
