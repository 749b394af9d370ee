// LayerNorm (Ba, Kiros and Hinton, 2016, arXiv 1607.06450).
#pragma once

#include "layers/layer.h"
#include "layers/layer_options.h"

namespace crocuta {

// x [.., dim] → the same shape: y = (x - mean) / sqrt(variance + eps) * weight + bias, mean and
// (biased) variance being those of the last dimension. Parameters: weight [dim], ones; bias [dim],
// zeros. On a context-parallel group each rank works on its own x.
class LayerNorm : public Layer {
 public:
  struct Options {
    std::int64_t dim = 0;  // required
    double eps = 1e-5;
    DType dtype = DType::float32;
    Device device = default_device();
  };
  // Throws ArgumentError, DTypeError or DeviceError for options out of range.
  explicit LayerNorm(const Options& options);
  // Keys: dim, eps (1e-5), dtype, device.
  explicit LayerNorm(const Config& config);

  // Throws ShapeError, DTypeError or DeviceError unless x fits.
  Tensor forward(const Tensor& x, const ProcessGroup& cp = ProcessGroup::self()) override;

 private:
  Tensor extend_forward(const Tensor& x, State&) override { return forward(x); }

  const double eps_;
  Tensor weight_, bias_;
};

}  // namespace crocuta
