// Optimizers: AdamW, and stochastic gradient descent with momentum.
//
//   AdamW optimizer(model.named_parameters(), {.learning_rate = 2e-3});
//   loss.backward();
//   optimizer.step();
//   optimizer.zero_grad();
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "framework/nn/gradient_norm.h"
#include "framework/nn/module.h"
#include "framework/nn/schedule.h"

namespace crocuta {

// Parameters that are treated alike; what is not given is the optimizer's own.
struct ParameterGroup {
  std::vector<NamedTensor> parameters = {};
  double learning_rate_scale = 1;
  std::optional<double> weight_decay = {};
  std::optional<std::array<double, 2>> betas = {};  // AdamW
};

// What optimizers share: parameters, their state by name, and the learning rate.
//
// State is float32 (float64 for float64 parameters). 16-bit parameters also have a float32 master
// copy, made at construction, which the steps add to; the parameter is its rounding. So load a
// model's weights before making its optimizer, or load the optimizer's state as well.
class Optimizer {
 public:
  virtual ~Optimizer() = default;
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;

  // Updates every parameter that has a gradient, as if the gradient were grad_scale times as large
  // (see clip_factor). The gradients stay.
  void step(double grad_scale = 1);
  void zero_grad();

  double learning_rate() const { return learning_rate_; }
  // Throws ArgumentError unless finite and >= 0.
  void set_learning_rate(double value);

  // State by name, sharing its storage: "<parameter>.exp_avg" and the like, "<parameter>.master",
  // and "<parameter>.step", int64 of shape [], the number of updates so far.
  StateDict state_dict() const;
  // Copies values into the state. Throws ArgumentError listing every missing, unexpected and
  // mis-shaped or mis-typed name, having changed nothing.
  void load_state_dict(const StateDict& state);

 protected:
  struct Slot {
    std::string name;
    Tensor parameter;
    double learning_rate_scale, weight_decay, beta1, beta2;
    std::vector<NamedTensor> state;  // under the names given to add_state()
    Tensor master;                   // undefined if there is none
    std::int64_t steps = 0;
  };

  // Throws ArgumentError, naming `who`, for a learning rate or weight decay that is not finite or
  // negative, betas outside [0, 1), no parameters at all, a parameter given twice, a name given
  // twice, and a parameter that is not contiguous; DTypeError if it is not floating.
  Optimizer(const char* who, std::vector<ParameterGroup> groups, double learning_rate,
            double weight_decay, std::array<double, 2> betas, bool master_weights);
  // Gives every parameter another tensor of state, zeros at first.
  void add_state(const std::string& name);
  // One update of one parameter by a contiguous gradient of its dtype.
  virtual void update(const Slot& slot, const Tensor& grad, double learning_rate,
                      double grad_scale) = 0;

 private:
  void add(const char* who, const NamedTensor& parameter, Slot slot, bool master_weights);
  std::vector<NamedTensor> tensors() const;

  std::vector<Slot> slots_;
  double learning_rate_;
};

struct AdamWOptions {
  double learning_rate = 1e-3;
  double beta1 = 0.9, beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0.01;
  bool master_weights = true;  // for 16-bit parameters
};

// AdamW (Loshchilov and Hutter, ICLR 2019), as torch.optim.AdamW computes it: decay is
// p -= lr weight_decay p, eps is added to the root of the corrected second moment. State: exp_avg,
// exp_avg_sq. A gradient whose square would overflow (beyond 2^63; 2^511 in float64) counts as the
// largest that does not, and one that is infinite makes its parameter NaN: no parameter stops
// learning in silence.
class AdamW : public Optimizer {
 public:
  // Throws as Optimizer does, and ArgumentError unless eps is at least 1e-15 (1e-150 for float64):
  // less would not outweigh squares that are too small for the second moment.
  explicit AdamW(std::vector<ParameterGroup> groups, const AdamWOptions& options = {});
  explicit AdamW(std::vector<NamedTensor> parameters, const AdamWOptions& options = {});

 private:
  void update(const Slot& slot, const Tensor& grad, double learning_rate,
              double grad_scale) override;

  double eps_;
};

struct SgdOptions {
  double learning_rate = 1e-2;
  double momentum = 0;
  double weight_decay = 0;  // added to the gradient
  bool master_weights = true;
};

// Stochastic gradient descent, as torch.optim.SGD without dampening. State: momentum, unless that
// is 0.
class Sgd : public Optimizer {
 public:
  // Throws as Optimizer does, and ArgumentError unless momentum is in [0, 1).
  explicit Sgd(std::vector<ParameterGroup> groups, const SgdOptions& options = {});
  explicit Sgd(std::vector<NamedTensor> parameters, const SgdOptions& options = {});

 private:
  void update(const Slot& slot, const Tensor& grad, double learning_rate,
              double grad_scale) override;

  double momentum_;
};

}  // namespace crocuta
