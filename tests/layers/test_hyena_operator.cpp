#include "layers/hyena/operator.h"

#include <cmath>
#include <random>

#include "distributed/backends/threads.h"
#include "framework/ops/ops.h"
#include "framework/tensor/random.h"
#include "tests/layers/hyena_oracle.h"
#include "tests/layers/layer_checks.h"
#include "tests/support/catch.h"
#include "tests/support/check_op.h"

namespace crocuta::test {
namespace {

constexpr DType kF64 = DType::float64;

HyenaOptions options(std::int64_t d_model, std::int64_t l_max, DType dtype = kF64) {
  return {.d_model = d_model, .l_max = l_max, .filter_order = 6, .dtype = dtype};
}

}  // namespace

TEST_CASE("the operator is the formula, for any length") {
  for (const std::int64_t L : {1, 2, 3, 7, 16, 31, 64, 100}) {
    CAPTURE(L);
    const HyenaOptions o = options(3, 100);
    HyenaOperator layer(o);
    randomize(layer);
    const Tensor x = sample({2, L, 3});
    const Values exact = oracle_operator(layer.state_dict(), o, x.to_vector<double>(), 2, L);
    const Tensor y = layer.forward(x);
    CHECK(y.shape() == Shape{2, L, 3});
    CHECK(close(y.to_vector<double>(), exact, 1e-12));
  }
}

TEST_CASE("the operator in float32 is within 1e-4 of the formula") {
  for (const std::int64_t L : {1, 97, 512}) {
    CAPTURE(L);
    const HyenaOptions o = options(4, 512, DType::float32);
    HyenaOperator layer(o);
    randomize(layer);
    const Tensor x = sample({1, L, 4}).to(DType::float32);
    CHECK(close(layer.forward(x).to_vector<double>(),
                oracle_operator(layer.state_dict(), o, x.to_vector<double>(), 1, L), 1e-4));
  }
}

TEST_CASE("the operator never looks ahead") {
  HyenaOperator layer(options(4, 24));
  randomize(layer);
  const Tensor x = sample({1, 24, 4});
  const auto before = layer.forward(x).to_vector<double>();
  for (const std::int64_t t : {0, 1, 11, 23}) {
    CAPTURE(t);
    const Tensor changed = x.clone();
    narrow(changed, 1, t, 1).fill_(5);
    const auto after = layer.forward(changed).to_vector<double>();
    // An FFT spreads rounding errors over the whole row, but nothing more.
    double past = 0, present = 0, scale = 0;
    for (std::int64_t i = 0; i < 24 * 4; ++i) {
      const auto j = static_cast<std::size_t>(i);
      scale = std::max(scale, std::abs(after[j]));
      (i < t * 4 ? past : present) =
          std::max(i < t * 4 ? past : present, std::abs(after[j] - before[j]));
    }
    CHECK(past <= 1e-14 * scale);
    CHECK(present > 1e-3 * scale);
  }
}

TEST_CASE("the operator's parameters have their names, shapes and initial scale") {
  manual_seed(1);
  const HyenaOperator layer({.d_model = 64, .l_max = 8, .n_layers = 8});
  const StateDict p = layer.state_dict();
  std::vector<std::string> names;
  for (const auto& [name, tensor] : p) {
    if (name.rfind("filter.", 0) != 0) names.push_back(name + " " + to_string(tensor.shape()));
  }
  CHECK(names == std::vector<std::string>{"in_proj.bias [192]", "in_proj.weight [192, 64]",
                                          "out_proj.bias [64]", "out_proj.weight [64, 64]",
                                          "short_conv.bias [192]", "short_conv.weight [192, 3]"});
  CHECK(p.count("filter.skip") == 1);
  const auto variance = [&](const char* name) { return mean(p.at(name) * p.at(name)).item(); };
  CHECK(std::abs(variance("in_proj.weight") / 4e-4 - 1) < 0.07);          // 5 sigma
  CHECK(std::abs(variance("out_proj.weight") / (4e-4 / 16) - 1) < 0.11);  // 0.02^2 / (2 * 8)
  // The short convolution keeps its own: uniform within 1 / sqrt(3), of variance 1 / 9.
  CHECK(std::abs(variance("short_conv.weight") * 9 - 1) < 0.2);
}

TEST_CASE("weights stored as three blocks are interleaved") {
  const Tensor blocks = from_vector<float>({1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, {6, 2});
  CHECK(interleave_streams(blocks).to_vector() ==
        std::vector<float>{1, 2, 5, 6, 9, 10, 3, 4, 7, 8, 11, 12});
  CHECK(interleave_streams(tensor({1, 2, 3, 4, 5, 6})).to_vector() ==
        std::vector<float>{1, 3, 5, 2, 4, 6});
  CHECK(message_of<ShapeError>([] {
          interleave_streams(zeros({4, 2}));
        }) == "interleave_streams: 'blocks': expected [3d, ..], got [4, 2]");

  // Of a state dict, the four tensors of every operator and no others.
  StateDict state;
  for (const char* name : {"in_proj.weight", "blocks.1.mixer.in_proj.bias", "short_conv.weight",
                           "blocks.0.mixer.short_conv.bias", "out_proj.bias", "main_proj.bias"}) {
    state[name] = tensor({1, 2, 3, 4, 5, 6});
  }
  for (const auto& [name, value] : interleave_streams(state)) {
    CAPTURE(name);
    const bool kept = name == "out_proj.bias" || name == "main_proj.bias";
    CHECK(value.to_vector()[1] == (kept ? 2 : 3));
  }
}

TEST_CASE("the operator says what is wrong with its input") {
  HyenaOperator layer(options(6, 8));
  const auto shape_error = [&](const Shape& shape) {
    return message_of<ShapeError>([&] { layer.forward(zeros(shape, {.dtype = kF64})); });
  };
  CHECK(shape_error({8, 6}) == "HyenaOperator: 'x': expected [B, L, 6], got [8, 6]");
  CHECK(shape_error({1, 8, 5}) == "HyenaOperator: 'x': expected [B, L, 6], got [1, 8, 5]");
  CHECK(shape_error({1, 9, 6}) ==
        "HyenaOperator: 'x': expected a length of at most l_max 8, got 9");
  CHECK(message_of<DTypeError>([&] {
          layer.forward(zeros({1, 8, 6}));
        }) == "HyenaOperator: 'x': expected the parameters' dtype float64, got float32");
  // On four ranks: found by all of them before anything is sent, so none is left waiting.
  const auto on_ranks = [&](const Shape& shape) {
    run_ranks(4, [&](const ProcessGroup& cp) {
      HyenaOperator(options(6, 8)).forward(zeros(shape, {.dtype = kF64}), cp);
    });
  };
  CHECK(message_of<ArgumentError>([&] {
          on_ranks({1, 2, 6});
        }) ==
        "HyenaOperator: 'd_model': expected a multiple of the 4 context-parallel ranks, got 6");
}

TEST_CASE("a length beyond l_max is found on the whole sequence") {
  const auto forward = [](std::int64_t part) {
    run_ranks(2, [&](const ProcessGroup& cp) {
      HyenaOperator(options(6, 9)).forward(zeros({1, part, 6}, {.dtype = kF64}), cp);
    });
  };
  forward(4);
  CHECK(message_of<ShapeError>([&] { forward(5); }) ==
        "HyenaOperator: 'x': expected a length of at most l_max 9, got 10");
}

}  // namespace crocuta::test
