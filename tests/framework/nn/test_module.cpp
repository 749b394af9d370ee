#include "framework/nn/module.h"

#include "framework/ops/ops.h"
#include "tests/support/catch.h"

using namespace crocuta;

namespace {
struct Scale : Module {
  explicit Scale(std::int64_t n) : weight(param("weight", ones({n}))) {}
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
  using Module::child;
  using Module::param;
};
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
