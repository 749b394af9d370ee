// The families in which parameters move: optimizers, and training steps of the whole model.
#include "framework/nn/optimizer.h"
#include "framework/ops/ops.h"
#include "layers/hyena/lm.h"
#include "tests/golden/golden.h"

namespace crocuta::test {
namespace {

// Twenty steps with given gradients; the parameter after each.
void check_steps(const GoldenCase& c, const Tensor& parameter, Optimizer& optimizer) {
  std::vector<Tensor> steps;
  for (std::int64_t i = 0; i < c.at("grads").size(0); ++i) {
    parameter.set_grad(select(c.at("grads"), 0, i).contiguous());
    optimizer.step(c.config.get_real("grad_scale", 1));
    steps.push_back(unsqueeze(parameter.detach().clone(), 0));
  }
  c.check_equal(cat(steps, 0), "output");
}

Tensor start(const GoldenCase& c) {
  return c.at("param.p").clone().set_requires_grad();
}

void check_adamw(const GoldenCase& c) {
  AdamWOptions o;
  o.learning_rate = c.config.get_real("learning_rate", o.learning_rate);
  o.beta1 = c.config.get_real("beta1", o.beta1);
  o.beta2 = c.config.get_real("beta2", o.beta2);
  o.eps = c.config.get_real("eps", o.eps);
  o.weight_decay = c.config.get_real("weight_decay", o.weight_decay);
  const Tensor p = start(c);
  AdamW optimizer(std::vector<NamedTensor>{{"p", p}}, o);
  check_steps(c, p, optimizer);
}

void check_sgd(const GoldenCase& c) {
  SgdOptions o;
  o.learning_rate = c.config.get_real("learning_rate", o.learning_rate);
  o.momentum = c.config.get_real("momentum", o.momentum);
  o.weight_decay = c.config.get_real("weight_decay", o.weight_decay);
  const Tensor p = start(c);
  Sgd optimizer(std::vector<NamedTensor>{{"p", p}}, o);
  check_steps(c, p, optimizer);
}

void check_training(const GoldenCase& c) {
  HyenaLM::Options o{.vocab_size = c.config.get_int("vocab_size"),
                     .hyena = hyena_block_options(c.config)};
  o.hyena.dtype = DType::float64;
  o.hyena.device = default_device();
  HyenaLM model(o);
  model.load_state_dict(c.below("param."));
  const HyenaLM::Groups groups = model.parameter_groups();
  AdamW optimizer({{.parameters = groups.decay, .weight_decay = c.config.get_real("weight_decay")},
                   {.parameters = groups.no_decay, .weight_decay = 0}},
                  {.learning_rate = c.config.get_real("learning_rate"), .beta2 = 0.98});
  std::vector<double> losses, norms;
  for (std::int64_t i = 0; i < c.at("ids").size(0); ++i) {
    model.zero_grad();
    const Tensor loss =
        cross_entropy(model.forward(select(c.at("ids"), 0, i)), select(c.at("targets"), 0, i));
    loss.backward();
    losses.push_back(loss.item());
    norms.push_back(gradient_norm(model.parameters()));
    optimizer.step(clip_factor(norms.back(), c.config.get_real("clip_norm")));
  }
  const Shape shape{static_cast<std::int64_t>(losses.size())};
  c.check_equal(from_vector(losses, shape), "losses");
  c.check_equal(from_vector(norms, shape), "norms");
}

}  // namespace

GoldenChecks golden_training_checks() {
  return {{"adamw", check_adamw}, {"sgd", check_sgd}, {"training", check_training}};
}

}  // namespace crocuta::test
