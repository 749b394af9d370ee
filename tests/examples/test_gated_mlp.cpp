// The test of examples/new_layer: what a layer of yours should be tested for.
#include <cmath>

#include "examples/new_layer/gated_mlp.h"
#include "framework/ops/ops.h"
#include "framework/tensor/random.h"
#include "layers/registry.h"
#include "tests/support/catch.h"
#include "tests/support/check_op.h"

using namespace crocuta;
using namespace example;
using namespace crocuta::test;

TEST_CASE("a gated MLP computes down(silu(gate(x)) * up(x))") {
  GatedMLP mlp({.d_model = 1, .d_inner = 2, .dtype = DType::float64});
  mlp.load_state_dict({{"gate.weight", from_vector<double>({1, -2}, {2, 1})},
                       {"up.weight", from_vector<double>({3, 5}, {2, 1})},
                       {"down.weight", from_vector<double>({7, 11}, {1, 2})}});

  const Tensor y = mlp.forward(from_vector<double>({0.5}, {1, 1}));

  const auto silu = [](double v) { return v / (1 + std::exp(-v)); };
  CHECK(y.item() == Approx(7 * silu(0.5) * 1.5 + 11 * silu(-1.0) * 2.5).epsilon(1e-14));
}

TEST_CASE("the gradient of a gated MLP is that of its formula") {
  GatedMLP mlp({.d_model = 3, .d_inner = 5, .dtype = DType::float64});
  {
    const NoGrad no_grad;
    for (const Tensor& weight : mlp.parameters()) uniform_(weight, -1, 1);
  }
  gradcheck([&](const std::vector<Tensor>& x) { return mlp.forward(x[0]); }, {sample({2, 4, 3})});
}

TEST_CASE("every weight of a gated MLP gets a gradient") {
  GatedMLP mlp({.d_model = 3, .d_inner = 5});
  sum(mlp.forward(ones({2, 3}))).backward();
  for (const NamedTensor& weight : mlp.named_parameters()) {
    INFO(weight.name);
    REQUIRE(weight.tensor.grad().defined());
    CHECK(weight.tensor.grad().shape() == weight.tensor.shape());
  }
}

TEST_CASE("a gated MLP is built from configuration by its name") {
  const auto layer = make_layer("GatedMLP", Config::parse(R"({"d_model": 4, "d_inner": 6})"));
  CHECK(layer->parameter_count() == 3 * 4 * 6);
  CHECK(layer->state_dict().count("gate.weight") == 1);
}

TEST_CASE("a gated MLP says what does not fit") {
  CHECK(message_of<ArgumentError>([] { GatedMLP({.d_model = 0, .d_inner = 2}); }) ==
        "GatedMLP: 'd_model': expected a size from 1 to 1099511627776, got 0");
  CHECK(message_of<ArgumentError>([] {
          make_layer("GatedMLP",
                     Config::parse(R"({"d_model": 4, "d_inner": 6, "d_iner": 6})", "c.json"));
        }) == "c.json: line 1: unknown key 'd_iner' (did you mean 'd_inner'?)");
  GatedMLP mlp({.d_model = 3, .d_inner = 5});
  CHECK(message_of<ShapeError>([&] {
          mlp.forward(ones({2, 4}));
        }) == "GatedMLP: 'x': expected [.., 3], got [2, 4]");
  CHECK(message_of<DTypeError>([&] {
          mlp.forward(ones({2, 3}, {.dtype = DType::float64}));
        }) == "GatedMLP: 'x': expected the parameters' dtype float32, got float64");
}
