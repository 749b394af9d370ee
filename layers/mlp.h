// MLP: the position-wise network of a block, two linear maps with a GELU between them.
#pragma once

#include "layers/linear.h"

namespace crocuta {

// x [.., d_model] → the same shape: fc2(gelu(fc1(x))), GELU in its tanh form. Children: fc1 and
// fc2, with biases. On a context-parallel group each rank works on its own x.
class MLP : public Layer {
 public:
  struct Options {
    std::int64_t d_model = 0;       // required
    std::int64_t d_inner = 0;       // 0: 4 * d_model
    double fc2_init_stddev = 0.02;  // not a configuration key
    DType dtype = DType::float32;
    Device device = default_device();
  };
  // Throws ArgumentError, DTypeError or DeviceError for options out of range.
  explicit MLP(const Options& options);
  // Keys: d_model, d_inner (4 * d_model, also for null), dtype, device.
  explicit MLP(const Config& config);

  // Throws ShapeError, DTypeError or DeviceError unless x fits.
  Tensor forward(const Tensor& x, const ProcessGroup& cp = ProcessGroup::self()) override;

 private:
  Tensor extend_forward(const Tensor& x, State& state) override;

  Linear& fc1_;
  Linear& fc2_;
};

}  // namespace crocuta
