// run_layer, as a program: what it computes, and that it computes it on any number of ranks.
#include <filesystem>
#include <fstream>

#include "framework/io/safetensors.h"
#include "framework/ops/ops.h"
#include "framework/tensor/autograd.h"
#include "framework/tensor/random.h"
#include "tests/layers/layer_checks.h"
#include "tests/support/bits.h"
#include "tests/support/catch.h"
#include "tests/support/check_op.h"
#include "tests/support/run_program.h"
#include "tests/support/temporary_directory.h"

namespace crocuta::test {
namespace {

const std::string kOperator =
    R"({"d_model": 12, "l_max": 24, "filter_order": 5, "dtype": "float64"})";

// Runs the program with `in` as its IN and returns OUT; the run must succeed.
StateDict run(const std::string& layer, const std::string& config, const StateDict& in,
              const std::vector<std::string>& more = {}) {
  const TemporaryDirectory directory;
  save_safetensors(directory.path("in"), in);
  std::vector<std::string> arguments = {RUN_LAYER,
                                        "--layer",
                                        layer,
                                        "--config",
                                        config,
                                        "--in",
                                        directory.path("in"),
                                        "--out",
                                        directory.path("out")};
  if (std::find(more.begin(), more.end(), "--device") == more.end()) {
    arguments.insert(arguments.end(), {"--device", device_argument()});
  }
  arguments.insert(arguments.end(), more.begin(), more.end());
  const ProgramResult result = run_program(arguments);
  INFO(result.err);
  REQUIRE(result.status == 0);
  CHECK(result.out.empty());
  CHECK(result.err.empty());
  return load_safetensors(directory.path("out")).tensors;
}

// The same by the library, on one rank.
StateDict expected(const std::string& name, const std::string& config, const StateDict& in,
                   std::uint64_t seed = 0) {
  manual_seed(seed);
  const auto layer = layer_from_json(name, config);
  layer->train(false);
  StateDict params;
  for (const auto& [key, tensor] : in) {
    if (key.rfind("param.", 0) == 0) params[key.substr(6)] = tensor;
  }
  if (!params.empty()) layer->load_state_dict(params);
  Tensor x = in.at("input.0").detach();
  if (is_floating(x.dtype())) x.set_requires_grad();
  const Tensor y = layer->forward(x);
  StateDict out = {{"output", y.detach()}};
  const bool gradients = in.count("grad_output") == 1;
  if (gradients) y.backward(in.at("grad_output"));
  if (gradients && is_floating(x.dtype())) out["grad.input.0"] = x.grad();
  for (const NamedTensor& p : layer->named_parameters()) {
    out["param." + p.name] = p.tensor.detach();
    if (gradients) out["grad.param." + p.name] = p.tensor.grad();
  }
  return out;
}

void check_equal(const StateDict& got, const StateDict& want, double tolerance) {
  for (const auto& [name, tensor] : want) {
    CAPTURE(name);
    REQUIRE(got.count(name) == 1);
    CHECK(got.at(name).dtype() == tensor.dtype());
    if (tolerance == 0 || name.rfind("param.", 0) == 0) {
      CHECK(same_bits(got.at(name), tensor));
    } else {
      CHECK(close(got.at(name), tensor, tolerance));
    }
  }
  CHECK(got.size() == want.size());
}

StateDict with_params(const std::string& layer, const std::string& config, StateDict in) {
  const auto module = layer_from_json(layer, config);
  randomize(*module);
  for (const auto& [name, tensor] : module->state_dict()) in["param." + name] = tensor;
  return in;
}

Tensor ids(const Shape& shape, std::int64_t V) {
  std::vector<std::int64_t> values;
  for (std::int64_t i = 0; i < element_count(shape); ++i) values.push_back(i * i % V);
  return from_vector(values, shape);
}

}  // namespace

TEST_CASE("run_layer computes what the library computes, bit for bit") {
  const StateDict in = with_params(
      "HyenaOperator", kOperator,
      {{"input.0", sample({2, 24, 12})}, {"grad_output", sample({2, 24, 12}, -1, 1, 5)}});
  check_equal(run("HyenaOperator", kOperator, in), expected("HyenaOperator", kOperator, in), 0);
}

TEST_CASE("run_layer computes on a GPU what it computes on the CPU") {
  if (cuda_device_count() == 0) SKIP_TEST("no GPU to compare with the CPU");
  struct Case {
    const char* layer;
    std::string config;
    Shape x;
  };
  const std::string conv = R"("hidden_dim": 12, "kernel_size": 7, "num_groups": 3, "bias": true)";
  for (const Case& c : {Case{"HyenaBlock", R"("d_model": 12, "l_max": 24)", {2, 17, 12}},
                        Case{"DistributedDepthwiseConv1d", conv, {2, 12, 33}}}) {
    for (const DType dtype : {DType::float64, DType::float32}) {
      const std::string config = str("{", c.config, R"(, "dtype": ")", dtype, "\"}");
      CAPTURE(c.layer, config);
      const StateDict in = with_params(
          c.layer, config,
          {{"input.0", sample(c.x).to(dtype)}, {"grad_output", sample(c.x, -1, 1, 5).to(dtype)}});
      check_equal(run(c.layer, config, in, {"--device", "cuda"}),
                  run(c.layer, config, in, {"--device", "cpu"}),
                  // Three times what an H100 and a CPU made of the gradient of the filter's sines.
                  dtype == DType::float64 ? 1e-12 : 3e-5);
    }
  }
}

TEST_CASE("without grad_output there are no gradients") {
  const StateDict in = with_params("HyenaOperator", kOperator, {{"input.0", sample({2, 24, 12})}});
  const StateDict out = run("HyenaOperator", kOperator, in);
  check_equal(out, expected("HyenaOperator", kOperator, in), 0);
  CHECK(out.count("grad.input.0") == 0);
}

TEST_CASE("without parameters the layer initialises its own, by the seed alone") {
  const std::string config = R"({"d_model": 4, "l_max": 8})";
  const StateDict in = {{"input.0", sample({1, 8, 4}).to(DType::float32)}};
  check_equal(run("HyenaBlock", config, in), expected("HyenaBlock", config, in, 0), 0);
  const StateDict seeded = expected("HyenaBlock", config, in, 7);
  check_equal(run("HyenaBlock", config, in, {"--seed", "7"}), seeded, 0);
  const StateDict split =
      run("HyenaBlock", config, in, {"--seed", "7", "--cp", "2", "--shard-dim", "1"});
  check_equal(split, seeded, 1e-5);
}

TEST_CASE("the ranks of --cp give the result of one") {
  struct Case {
    const char* layer;
    std::string config;
    StateDict in;
    const char* shard_dim;
  };
  const std::string conv =
      R"({"hidden_dim": 12, "kernel_size": 4, "num_groups": 2, "bias": true, "dtype": "float64"})";
  const std::string model =
      R"({"vocab_size": 5, "d_model": 12, "l_max": 24, "n_layers": 2, "dtype": "float64"})";
  const std::string linear = R"({"in_features": 3, "out_features": 2, "dtype": "float64"})";
  const Case cases[] = {
      {"HyenaOperator",
       kOperator,
       {{"input.0", sample({2, 24, 12})}, {"grad_output", sample({2, 24, 12}, -1, 1, 5)}},
       "1"},
      {"HyenaBlock",
       kOperator,
       {{"input.0", sample({2, 12, 12})}, {"grad_output", sample({2, 12, 12}, -1, 1, 5)}},
       "-2"},
      {"DistributedDepthwiseConv1d",
       conv,
       {{"input.0", sample({2, 12, 9})}, {"grad_output", sample({2, 12, 9}, -1, 1, 5)}},
       "1"},
      {"HyenaLM", model, {{"input.0", ids({2, 12}, 5)}, {"grad_output", sample({2, 12, 5})}}, "1"},
      {"Linear", linear, {{"input.0", sample({12, 3})}, {"grad_output", sample({12, 2})}}, "0"}};
  for (const Case& c : cases) {
    CAPTURE(c.layer);
    const StateDict in = with_params(c.layer, c.config, c.in);
    const StateDict alone = run(c.layer, c.config, in);
    CHECK(alone.count("grad.input.0") == (is_floating(in.at("input.0").dtype()) ? 1 : 0));
    for (const char* P : {"1", "2", "3", "4"}) {
      CAPTURE(P);
      check_equal(run(c.layer, c.config, in, {"--cp", P, "--shard-dim", c.shard_dim}), alone,
                  P[0] == '1' ? 0 : 1e-11);
    }
  }
}

TEST_CASE("parameters come back bit-equal, in every dtype") {
  for (const char* dtype : {"float32", "float64", "bfloat16", "float16"}) {
    const std::string config = R"({"dim": 4, "dtype": ")" + std::string(dtype) + "\"}";
    const DType type = parse_dtype(dtype);
    const StateDict in = {
        {"input.0", sample({3, 4}).to(type)},
        {"param.weight", from_vector<double>({-0.0, 1e-300, 1e300, 0.1}, {4}).to(type)},
        {"param.bias", from_vector<double>({1, 2, 3, 1.0 / 3}, {4}).to(type)}};
    const StateDict out = run("LayerNorm", config, in);
    CHECK(same_bits(out.at("param.weight"), in.at("param.weight")));
    CHECK(same_bits(out.at("param.bias"), in.at("param.bias")));
    CHECK(out.at("output").dtype() == type);
  }
}

TEST_CASE("parameters that no gradient reaches get zeros") {
  const std::string config = R"({"num_embeddings": 3, "embedding_dim": 2})";
  const StateDict out =
      run("Embedding", config,
          {{"input.0", zeros({0}, {.dtype = DType::int64})}, {"grad_output", zeros({0, 2})}});
  CHECK(out.at("grad.param.weight").to_vector() == std::vector<float>(6));
  CHECK(out.at("output").shape() == Shape{0, 2});
}

TEST_CASE("dropout is off") {
  const std::string on = R"({"d_model": 4, "l_max": 8, "dropout": 0.9})";
  const std::string off = R"({"d_model": 4, "l_max": 8})";
  const StateDict in = {{"input.0", sample({1, 8, 4}).to(DType::float32)}};
  check_equal(run("HyenaBlock", on, in), run("HyenaBlock", off, in), 0);
}

TEST_CASE("the configuration may be a file, and --device overrides it") {
  const TemporaryDirectory directory;
  const std::string path = directory.path("config.json");
  std::ofstream(path) << R"({"in_features": 3, "out_features": 2, "device": "cuda:7"})";
  const StateDict in = {{"input.0", ones({1, 3})}};
  const StateDict out = run("Linear", path, in, {"--device", "cpu"});
  check_equal(out, expected("Linear", R"({"in_features": 3, "out_features": 2})", in), 0);
}

TEST_CASE("the configuration may be JSON after white space") {
  const StateDict in = {{"input.0", ones({1, 3})}};
  const std::string config = R"({"in_features": 3, "out_features": 2})";
  check_equal(run("Linear", "\n  " + config, in), expected("Linear", config, in), 0);
}

TEST_CASE("a dimension to share may be counted from the input's end") {
  const std::string config = R"({"num_embeddings": 5, "embedding_dim": 3})";
  const StateDict in = {{"input.0", from_vector<std::int64_t>({0, 1, 2, 3, 4, 0, 1, 2}, {2, 4})},
                        {"grad_output", sample({2, 4, 3}).to(DType::float32)}};
  check_equal(run("Embedding", config, in, {"--cp", "2", "--shard-dim", "-1"}),
              expected("Embedding", config, in), 1e-6);
}

TEST_CASE("help and version go to stdout") {
  const ProgramResult help = run_program({RUN_LAYER, "--help"});
  CHECK(help.status == 0);
  CHECK(help.err.empty());
  for (const char* text :
       {"--layer", "--shard-dim", "grad.param.<name>", "HyenaLM", "Exit status"}) {
    CHECK(help.out.find(text) != std::string::npos);
  }
  const ProgramResult version = run_program({RUN_LAYER, "--version"});
  CHECK(version.status == 0);
  CHECK(version.out.find("run_layer") == 0);
}

}  // namespace crocuta::test
