#include "framework/nn/module.h"

#include "framework/base/error.h"
#include "framework/nn/module_list.h"
#include "framework/nn/optimizer.h"
#include "framework/ops/ops.h"
#include "tests/support/catch.h"
#include "tests/support/check_op.h"

using namespace crocuta;

namespace {
struct Scale : Module {
  struct Options {
    std::int64_t size = 0;
  };
  explicit Scale(std::int64_t n) : weight(param("weight", ones({n}))) {}
  explicit Scale(const Options& options) : Scale(options.size) {}
  Tensor weight;
  using Module::child;
};
struct Pair : Module {
  Pair()
      : bias(param("bias", zeros({2}))),
        left(child<Scale>("left", 2)),
        right(child<Scale>("right", 3)) {}
  Tensor bias;
  Scale& left;
  Scale& right;
  using Module::buffer;
  using Module::child;
  using Module::param;
};

std::vector<std::string> names_of(const std::vector<NamedTensor>& tensors) {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : tensors) names.push_back(name);
  return names;
}
}  // namespace

TEST_CASE("parameters are named by dotted paths, in the order of construction") {
  const Pair pair;
  std::vector<std::string> names;
  for (const auto& [name, tensor] : pair.named_parameters()) {
    names.push_back(name);
    CHECK(tensor.requires_grad());
  }
  CHECK(names == std::vector<std::string>{"bias", "left.weight", "right.weight"});
  CHECK(pair.parameter_count() == 7);
}

TEST_CASE("modules are named by dotted paths, each before its children") {
  Pair pair;
  Scale& below = pair.left.child<Scale>("below", 1);
  std::vector<std::string> names;
  for (const auto& [name, module] : pair.named_modules()) names.push_back(name);
  CHECK(names == std::vector<std::string>{"", "left", "left.below", "right"});
  CHECK(pair.named_modules()[0].module == &pair);
  CHECK(pair.named_modules()[2].module == &below);
}

TEST_CASE("a state dict loads into another module of the same shape") {
  Pair a, b;
  {
    const NoGrad guard;
    a.right.weight.fill_(4);
  }
  b.load_state_dict(a.state_dict());
  CHECK(b.right.weight.to_vector() == std::vector<float>{4, 4, 4});
}

TEST_CASE("loading lists every missing, unexpected and misfitting name, and changes nothing") {
  Pair pair;
  StateDict state = {{"bias", ones({2})}, {"left.weight", ones({3})}, {"extra", ones({1})}};
  CHECK_THROWS_AS(pair.load_state_dict(state), ArgumentError);
  CHECK_THROWS_WITH(pair.load_state_dict(state),
                    "load_state_dict: 'state': expected this module's parameters, got "
                    "'left.weight' should have shape [2], has [3]; missing 'right.weight' [3]; "
                    "unexpected 'extra' [1]");
  CHECK(pair.bias.to_vector() == std::vector<float>{0, 0});
  state = {{"bias", ones({2}, {.dtype = DType::float64})},
           {"left.weight", ones({2})},
           {"right.weight", ones({3})}};
  CHECK_THROWS_WITH(pair.load_state_dict(state),
                    ContainsSubstring("'bias' should be float32, is float64"));
  CHECK_THROWS_WITH(pair.check_state_dict(state),
                    ContainsSubstring("'bias' should be float32, is float64"));
  CHECK(pair.left.weight.to_vector() == std::vector<float>{1, 1});
  pair.check_state_dict(Pair().state_dict());
}

TEST_CASE("train reaches all children, and zero_grad clears all gradients") {
  Pair pair;
  pair.train(false);
  CHECK_FALSE(pair.right.is_training());
  sum(pair.left.weight * pair.bias).backward();
  CHECK(pair.left.weight.grad().defined());
  pair.zero_grad();
  CHECK_FALSE(pair.left.weight.grad().defined());
}

TEST_CASE("names must be new, not empty and without dots") {
  Pair pair;
  CHECK_THROWS_AS(pair.param("bias", ones({1})), ArgumentError);
  CHECK_THROWS_AS(pair.child<Scale>("bias", 1), ArgumentError);
  CHECK_THROWS_AS(pair.param("", ones({1})), ArgumentError);
  CHECK_THROWS_WITH(pair.param("a.b", ones({1})),
                    "Module: 'name': expected a new name without dots, got \"a.b\"");
}

TEST_CASE("children are made from options in braces, or were made before") {
  Pair pair;
  CHECK(pair.child<Scale>("third", {.size = 4}).weight.numel() == 4);
  Scale& fourth = pair.child("fourth", std::make_unique<Scale>(5));
  CHECK(fourth.weight.numel() == 5);
  std::vector<std::string> names;
  for (const auto& [name, module] : pair.named_children()) names.push_back(name);
  CHECK(names == std::vector<std::string>{"left", "right", "third", "fourth"});
}

TEST_CASE("a list of modules names them by number") {
  ModuleList<Scale> list(2, std::int64_t{3});
  list.append({.size = 1});
  CHECK(list.size() == 3);
  CHECK(names_of(list.named_parameters()) ==
        std::vector<std::string>{"0.weight", "1.weight", "2.weight"});
  std::int64_t elements = 0;
  for (const Scale& scale : list) elements += scale.weight.numel();
  CHECK(elements == 7);
  CHECK(list[2].weight.numel() == 1);
  CHECK_THROWS_AS(list[3], std::out_of_range);
}

TEST_CASE("buffers belong to the state, and nothing is learned of them") {
  Pair a, b;
  const Tensor mean = a.buffer("mean", full({2}, 3));
  b.buffer("mean", zeros({2}));
  CHECK_FALSE(mean.requires_grad());
  CHECK(names_of(a.named_buffers()) == std::vector<std::string>{"mean"});
  CHECK(a.named_parameters().size() == 3);
  b.load_state_dict(a.state_dict());
  CHECK(equal(b.state_dict().at("mean"), full({2}, 3)));
  CHECK_THROWS_AS(a.buffer("bias", ones({1})), ArgumentError);
  CHECK_THROWS_AS(a.param("mean", ones({1})), ArgumentError);
}

TEST_CASE("a module changes dtype in all handles of its parameters") {
  Pair pair;
  const Tensor steps = pair.buffer("steps", arange(3));
  pair.left.weight.set_grad(ones({2}));
  pair.to(DType::float64);
  CHECK(pair.left.weight.dtype() == DType::float64);
  CHECK(pair.left.weight.requires_grad());
  CHECK_FALSE(pair.left.weight.grad().defined());
  CHECK(steps.dtype() == DType::int64);
  sum(pair.left.weight * 2.0).backward();
  CHECK(equal(pair.left.weight.grad(), full({2}, 2, {.dtype = DType::float64})));
  CHECK(test::message_of<DTypeError>([&] { pair.to(DType::int64); }) ==
        "Module::to: 'dtype': expected a floating dtype, got int64");
}

TEST_CASE("a module moves to every device and back, and gives what it gave") {
  for (const Device device : test::test_devices()) {
    Pair pair;
    pair.to(device);
    CHECK(pair.bias.device() == device);
    sum(pair.bias + 1.0).backward();
    CHECK(pair.bias.grad().device() == device);
    pair.to(Device::cpu());
    CHECK(pair.bias.to_vector() == std::vector<float>{0, 0});
  }
}

TEST_CASE("what is frozen gets no gradient, and no optimizer changes it") {
  Pair pair;
  pair.requires_grad_("left.*", false);
  CHECK_FALSE(pair.left.weight.requires_grad());
  CHECK(pair.right.weight.requires_grad());
  AdamW optimizer(pair.named_parameters(), {.learning_rate = 0.5});
  (sum(pair.left.weight) + sum(pair.right.weight)).backward();
  optimizer.step();
  CHECK(pair.left.weight.to_vector() == std::vector<float>{1, 1});
  CHECK(pair.right.weight.to_vector()[0] < 1);
  pair.requires_grad_(true);
  CHECK(pair.left.weight.requires_grad());
  pair.requires_grad_("*weight", false);
  CHECK(pair.bias.requires_grad());
  CHECK_FALSE(pair.right.weight.requires_grad());
  CHECK(test::message_of<ArgumentError>([&] { pair.requires_grad_("lef.*", false); }) ==
        "requires_grad_: 'pattern': expected one that describes a parameter's name, got \"lef.*\"");
}

TEST_CASE("eval is the end of training") {
  Pair pair;
  pair.eval();
  CHECK_FALSE(pair.is_training());
  CHECK_FALSE(pair.right.is_training());
}
