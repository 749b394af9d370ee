// Layers for test_registry.cpp, which knows them by name alone.
#include "framework/ops.h"
#include "framework/registry.h"

namespace crocuta {

class ProcessGroup {  // stands in for the real one, which lives above the framework
 public:
  double factor = 1;
};

namespace {

// y = x * scale
class Scale : public Module {
 public:
  explicit Scale(const Config& config)
      : scale_(param("scale", full({1}, config.get_real("scale", 2.0), tensor_options(config)))) {}
  Tensor forward(const Tensor& x) const { return x * scale_; }

 private:
  Tensor scale_;
};

// y = a - b
class Difference : public Module {
 public:
  explicit Difference(const Config&) {}
  Tensor forward(const Tensor& a, const Tensor& b) { return a - b; }
};

// y = x * what the group says
class Grouped : public Module {
 public:
  explicit Grouped(const Config&) {}
  Tensor forward(const Tensor& x, const ProcessGroup& group = {}) const {
    return x * full({1}, group.factor);
  }
};

REGISTER_LAYER("Scale", Scale)
REGISTER_LAYER("Difference", Difference)
REGISTER_LAYER("Grouped", Grouped)
REGISTER_LAYER("Twice", Scale)
REGISTER_LAYER("Twice", Difference)

}  // namespace
}  // namespace crocuta
