// Linear, Embedding, LayerNorm and MLP.
#include <cmath>

#include "framework/ops/ops.h"
#include "framework/tensor/autograd.h"
#include "framework/tensor/random.h"
#include "layers/embedding.h"
#include "layers/layer_norm.h"
#include "layers/mlp.h"
#include "tests/layers/layer_checks.h"
#include "tests/support/catch.h"
#include "tests/support/check_op.h"

namespace crocuta::test {
namespace {

constexpr DType kF64 = DType::float64;
constexpr DType kFloats[] = {DType::float32, DType::float64, DType::bfloat16, DType::float16};

double mean_square(const Tensor& x) {
  double sum = 0;
  for (const double v : x.to_vector<double>()) sum += v * v;
  return sum / static_cast<double>(x.numel());
}

std::vector<std::string> names(const Module& module) {
  std::vector<std::string> out;
  for (const NamedTensor& p : module.named_parameters()) {
    out.push_back(p.name + " " + to_string(p.tensor.shape()));
  }
  return out;
}

}  // namespace

TEST_CASE("a linear layer is a matrix product over any leading dimensions") {
  Linear layer({.in_features = 2, .out_features = 3, .dtype = kF64});
  layer.load_state_dict({{"weight", from_vector<double>({1, 2, 3, 4, 5, 6}, {3, 2})},
                         {"bias", from_vector<double>({10, 20, 30}, {3})}});
  const Tensor x = from_vector<double>({1, 0, 0, 1, 1, 1, 2, -1}, {2, 2, 2});
  const Tensor y = layer.forward(x);
  CHECK(y.shape() == Shape{2, 2, 3});
  CHECK(y.to_vector<double>() ==
        std::vector<double>{11, 23, 35, 12, 24, 36, 13, 27, 41, 10, 22, 34});
  CHECK(layer.forward(zeros({0, 2}, {.dtype = kF64})).shape() == Shape{0, 3});
}

TEST_CASE("the bias of a linear layer can be left out") {
  Linear layer({.in_features = 2, .out_features = 3, .bias = false});
  CHECK(names(layer) == std::vector<std::string>{"weight [3, 2]"});
  CHECK(!layer.bias().defined());
  CHECK(close(layer.forward(ones({1, 2})), unsqueeze(sum(layer.weight(), {1}), 0), 1e-6 * 3));
}

TEST_CASE("linear and embedding weights start as N(0, 0.02^2), biases and norms as they should") {
  manual_seed(5);
  const Linear linear({.in_features = 64, .out_features = 300});
  CHECK(names(linear) == std::vector<std::string>{"weight [300, 64]", "bias [300]"});
  // 19,200 numbers: the sample variance is within 5 % of the true one with 4.9 sigma.
  CHECK(std::abs(mean_square(linear.weight()) / 4e-4 - 1) < 0.05);
  CHECK(mean_square(linear.bias()) == 0);
  const Embedding embedding({.num_embeddings = 300, .embedding_dim = 64});
  CHECK(names(embedding) == std::vector<std::string>{"weight [300, 64]"});
  CHECK(std::abs(mean_square(embedding.weight()) / 4e-4 - 1) < 0.05);
  const LayerNorm norm({.dim = 4});
  CHECK(norm.state_dict().at("weight").to_vector() == std::vector<float>{1, 1, 1, 1});
  CHECK(norm.state_dict().at("bias").to_vector() == std::vector<float>{0, 0, 0, 0});
}

TEST_CASE("a seed gives the same numbers in every dtype, up to its rounding") {
  const auto weight = [](DType dtype) {
    manual_seed(9);
    return Linear({.in_features = 9, .out_features = 7, .dtype = dtype}).weight();
  };
  const auto exact = weight(kF64).to_vector<double>();
  for (const DType dtype : kFloats) {
    const auto rounded = weight(dtype).to_vector<double>();
    for (std::size_t i = 0; i < exact.size(); ++i) {
      CHECK(std::abs(rounded[i] - exact[i]) <=
            epsilon(dtype) * std::abs(exact[i]) + (dtype == DType::float16 ? 0x1p-25 : 0));
    }
  }
}

TEST_CASE("an embedding looks rows up and sums the gradients of equal ids") {
  Embedding layer({.num_embeddings = 3, .embedding_dim = 2, .dtype = kF64});
  layer.load_state_dict({{"weight", from_vector<double>({1, 2, 3, 4, 5, 6}, {3, 2})}});
  const Tensor ids = from_vector<std::int64_t>({2, 0, 2, 1}, {2, 2});
  const Tensor y = layer.forward(ids);
  CHECK(y.shape() == Shape{2, 2, 2});
  CHECK(y.to_vector<double>() == std::vector<double>{5, 6, 1, 2, 5, 6, 3, 4});
  y.backward(from_vector<double>({1, 2, 3, 4, 5, 6, 7, 8}, {2, 2, 2}));
  CHECK(layer.weight().grad().to_vector<double>() == std::vector<double>{3, 4, 7, 8, 6, 8});
  CHECK(layer.forward(zeros({2, 0}, {.dtype = DType::int64})).shape() == Shape{2, 0, 2});
}

TEST_CASE("a layer norm standardises rows, then scales and shifts them") {
  LayerNorm layer({.dim = 4, .eps = 0, .dtype = kF64});
  layer.load_state_dict({{"weight", from_vector<double>({1, 2, 3, 4}, {4})},
                         {"bias", from_vector<double>({0, 0, 0, 10}, {4})}});
  const Tensor x = from_vector<double>({-1, 1, -1, 1, 7, 3, 3, 7}, {2, 4});
  CHECK(
      close(layer.forward(x), from_vector<double>({-1, 2, -3, 14, 1, -2, -3, 14}, {2, 4}), 1e-15));
}

TEST_CASE("an MLP is linear, GELU, linear, four times as wide inside by default") {
  MLP layer({.d_model = 3, .dtype = kF64});
  CHECK(names(layer) == std::vector<std::string>{"fc1.weight [12, 3]", "fc1.bias [12]",
                                                 "fc2.weight [3, 12]", "fc2.bias [3]"});
  randomize(layer);
  const StateDict p = layer.state_dict();
  const Tensor x = sample({2, 5, 3});
  const Tensor inner = linear(x, p.at("fc1.weight"), p.at("fc1.bias"));
  const Tensor tanh_form =
      inner * 0.5 * (tanh((inner + inner * inner * inner * 0.044715) * std::sqrt(2 / M_PI)) + 1.0);
  CHECK(close(layer.forward(x), linear(tanh_form, p.at("fc2.weight"), p.at("fc2.bias")), 1e-14));
}

TEST_CASE("basic layers say what is wrong with their options") {
  CHECK(message_of<ArgumentError>([] { Linear({.in_features = 0, .out_features = 1}); }) ==
        "Linear: 'in_features': expected a size from 1 to 1099511627776, got 0");
  CHECK(message_of<ArgumentError>([] {
          Linear({.in_features = 1, .out_features = 1, .init_stddev = -1});
        }) == "Linear: 'init_stddev': expected a number >= 0, got -1");
  CHECK(message_of<DTypeError>([] {
          Linear({.in_features = 1, .out_features = 1, .dtype = DType::int64});
        }) == "Linear: 'dtype': expected float32, float64, bfloat16 or float16, got int64");
  CHECK(message_of<ArgumentError>([] { LayerNorm({.dim = 2, .eps = NAN}); }) ==
        "LayerNorm: 'eps': expected a number >= 0, got nan");
  CHECK(message_of<ArgumentError>([] { MLP({.d_model = 2, .d_inner = -2}); }) ==
        "MLP: 'd_inner': expected a size from 1 to 1099511627776, got -2");
  CHECK_THROWS_AS(Linear({.in_features = 1 << 30, .out_features = std::int64_t{1} << 40}),
                  ArgumentError);  // 2^70 elements
  CHECK_THROWS_AS(Linear({.in_features = 1 << 30, .out_features = 1 << 20}), OutOfMemory);
  CHECK_THROWS_AS(Linear({.in_features = 1, .out_features = 1, .device = Device::cuda(99)}),
                  DeviceError);
}

TEST_CASE("basic layers are made from JSON with their defaults") {
  auto linear = layer_from_json("Linear", R"({"in_features": 3, "out_features": 2})");
  CHECK(names(*linear) == std::vector<std::string>{"weight [2, 3]", "bias [2]"});
  linear = layer_from_json("Linear", R"({"in_features": 3, "out_features": 2, "bias": false,
                                         "dtype": "bfloat16", "device": "cpu"})");
  CHECK(linear->parameters().size() == 1);
  CHECK(linear->parameters()[0].dtype() == DType::bfloat16);
  CHECK(names(*layer_from_json("Embedding", R"({"num_embeddings": 3, "embedding_dim": 2})")) ==
        std::vector<std::string>{"weight [3, 2]"});
  CHECK(names(*layer_from_json("MLP", R"({"d_model": 2, "d_inner": 5})"))[0] ==
        "fc1.weight [5, 2]");
  CHECK(names(*layer_from_json("MLP", R"({"d_model": 2, "d_inner": null})"))[0] ==
        "fc1.weight [8, 2]");
  auto norm = layer_from_json("LayerNorm", R"({"dim": 2, "eps": 3, "dtype": "float64"})");
  const Tensor x = from_vector<double>({-1, 1}, {2});
  CHECK(close(norm->forward(x), x * 0.5, 1e-15));  // variance 1, eps 3
}

TEST_CASE("configurations with missing, unknown or unfit keys are refused") {
  const auto error = [](const std::string& name, const std::string& json) {
    return message_of<ArgumentError>([&] { make_layer(name, Config::parse(json)); });
  };
  CHECK_THAT(error("Linear", R"({"in_features": 3})"), ContainsSubstring("out_features"));
  CHECK_THAT(error("Linear", R"({"in_features": 3, "out_features": 2, "baias": true})"),
             ContainsSubstring("'baias'") && ContainsSubstring("'bias'"));
  CHECK_THAT(error("Linear", R"({"in_features": 0, "out_features": 2})"),
             ContainsSubstring("'in_features'"));
  CHECK_THAT(error("Linear", R"({"in_features": 3, "out_features": 2, "init_stddev": 1})"),
             ContainsSubstring("'init_stddev'"));
  CHECK_THAT(error("LayerNorm", R"({"dim": 3, "eps": -1})"), ContainsSubstring("'eps'"));
  for (const char* dtype : {"int64", "flaot32"}) {
    const Config config = Config::parse(str(R"({"dim": 3, "dtype": ")", dtype, "\"}"));
    CHECK_THAT(message_of<DTypeError>([&] { make_layer("LayerNorm", config); }),
               ContainsSubstring("'dtype'") && ContainsSubstring("bfloat16"));
  }
  CHECK_THAT(error("LayerNorm", R"({"dim": 3, "dtype": 32})"), ContainsSubstring("'dtype'"));
  CHECK_THROWS_AS(make_layer("LayerNorm", Config::parse(R"({"dim": 3, "device": "tpu"})")),
                  DeviceError);
}

}  // namespace crocuta::test
