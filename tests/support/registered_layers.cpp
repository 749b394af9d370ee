// Layers for test_registry.cpp, which knows them by name alone.
#include "framework/ops/ops.h"
#include "layers/registry.h"

namespace crocuta {

namespace {

class Scale : public Layer {
 public:
  explicit Scale(const Config& config)
      : scale_(param("scale", full({1}, config.get_real("scale", 2.0)))) {}
  Tensor forward(const Tensor& x, const ProcessGroup&) override { return x * scale_; }

 private:
  Tensor scale_;
};

class Shift : public Layer {
 public:
  explicit Shift(const Config& config)
      : shift_(param("shift", full({1}, config.get_real("shift", 0.0)))) {}
  Tensor forward(const Tensor& x, const ProcessGroup&) override { return x + shift_; }

 private:
  Tensor shift_;
};

CROCUTA_REGISTER_LAYER("Shift", Shift);
CROCUTA_REGISTER_LAYER("Scale", Scale);
CROCUTA_REGISTER_LAYER("Twice", Scale);
CROCUTA_REGISTER_LAYER("Twice", Shift);

}  // namespace
}  // namespace crocuta
