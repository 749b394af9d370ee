// Layers for test_registry.cpp, which knows them by name alone.
#include "framework/nn/registry.h"

namespace crocuta {

namespace {

class Scale : public Module {
 public:
  explicit Scale(const Config& config)
      : scale_(param("scale", full({1}, config.get_real("scale", 2.0)))) {}

 private:
  Tensor scale_;
};

class Shift : public Module {
 public:
  explicit Shift(const Config& config)
      : shift_(param("shift", full({1}, config.get_real("shift", 0.0)))) {}

 private:
  Tensor shift_;
};

REGISTER_LAYER("Shift", Shift);
REGISTER_LAYER("Scale", Scale);
REGISTER_LAYER("Twice", Scale);
REGISTER_LAYER("Twice", Shift);

}  // namespace
}  // namespace crocuta
