// Linear: y = x W^T + b.
#pragma once

#include "layers/layer.h"
#include "layers/layer_options.h"

namespace crocuta {

// x [.., in_features] → [.., out_features], over any leading dimensions. Parameters: weight
// [out_features, in_features] ~ N(0, init_stddev^2), bias [out_features], zeros. On a
// context-parallel group each rank works on its own x.
class Linear : public Layer {
 public:
  struct Options {
    std::int64_t in_features = 0;   // required
    std::int64_t out_features = 0;  // required
    bool bias = true;
    double init_stddev = 0.02;  // not a configuration key
    DType dtype = DType::float32;
    Device device = default_device();
  };
  // Throws ArgumentError, DTypeError or DeviceError for options out of range.
  explicit Linear(const Options& options);
  // Keys: in_features, out_features, bias (true), dtype, device.
  explicit Linear(const Config& config);

  // Throws ShapeError, DTypeError or DeviceError unless x fits.
  Tensor forward(const Tensor& x, const ProcessGroup& cp = ProcessGroup::self()) override;

  const Tensor& weight() const { return weight_; }
  // Undefined without a bias.
  const Tensor& bias() const { return bias_; }

 private:
  Tensor extend_forward(const Tensor& x, State&) override { return forward(x); }

  Tensor weight_, bias_;
};

}  // namespace crocuta
