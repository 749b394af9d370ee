// run_layer, as a program: one line for every error, the right exit status, and OUT left alone.
#include <algorithm>
#include <fstream>

#include "framework/io/safetensors.h"
#include "framework/ops/ops.h"
#include "tests/layers/layer_checks.h"
#include "tests/support/catch.h"
#include "tests/support/check_op.h"
#include "tests/support/run_program.h"
#include "tests/support/temporary_directory.h"

namespace crocuta::test {
namespace {

const std::string kLinear = R"({"in_features": 3, "out_features": 2})";

// A run that is expected to fail: its arguments and IN, to be changed by each test.
struct Attempt {
  std::string layer = "Linear";
  std::string config = kLinear;
  StateDict in = {{"input.0", ones({4, 3})}};
  std::vector<std::string> more = {};

  // Runs it and checks what all failures have in common; returns the line after "error: ".
  std::string fails(int status) const {
    const TemporaryDirectory directory;
    save_safetensors(directory.path("in"), in);
    return fails(status, directory.path("in"));
  }

  std::string fails(int status, const std::string& in_path) const {
    const TemporaryDirectory directory;
    const std::string out = directory.path("out");
    std::ofstream(out) << "kept";
    std::vector<std::string> arguments = {RUN_LAYER, "--layer", layer,   "--config", config,
                                          "--in",    in_path,   "--out", out};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const std::string line = error_line(run_program(arguments), status);
    std::string kept;
    std::ifstream(out) >> kept;
    CHECK(kept == "kept");
    return line;
  }

  static std::string error_line(const ProgramResult& result, int status) {
    INFO(result.err);
    CHECK(result.status == status);
    CHECK(result.out.empty());
    CHECK(result.err.size() <= 4096);
    REQUIRE(!result.err.empty());
    CHECK(std::count(result.err.begin(), result.err.end(), '\n') == 1);
    CHECK(result.err.back() == '\n');
    for (const char c : result.err) CHECK((c == '\n' || static_cast<unsigned char>(c) >= 0x20));
    const std::string prefix = "run_layer: error: ";
    REQUIRE(result.err.rfind(prefix, 0) == 0);
    return result.err.substr(prefix.size(), result.err.size() - prefix.size() - 1);
  }
};

std::string long_name(std::size_t n) {
  return std::string(n, 'x');
}

}  // namespace

TEST_CASE("wrong flags end with status 2 and name the flag") {
  const auto error = [](std::vector<std::string> more) {
    return Attempt{.more = std::move(more)}.fails(2);
  };
  CHECK_THAT(error({"--sede", "1"}),
             ContainsSubstring("'--sede'") && ContainsSubstring("'--seed'"));
  CHECK_THAT(error({"stray"}), ContainsSubstring("'stray'"));
  CHECK_THAT(error({"--seed"}), ContainsSubstring("--seed"));
  CHECK_THAT(error({"--seed", "-1"}), ContainsSubstring("--seed"));
  CHECK_THAT(error({"--seed", "1.5"}), ContainsSubstring("--seed"));
  CHECK_THAT(error({"--seed", "99999999999999999999"}), ContainsSubstring("--seed"));
  CHECK_THAT(error({"--device", "tpu"}),
             ContainsSubstring("--device") && ContainsSubstring("'tpu'"));
  CHECK_THAT(error({"--device", "cuda:x"}), ContainsSubstring("--device"));
  CHECK_THAT(error({"--device="}), ContainsSubstring("--device"));
  CHECK_THAT(error({"--cp", "2"}), ContainsSubstring("--shard-dim"));
  CHECK_THAT(error({"--shard-dim", "0"}), ContainsSubstring("--cp"));
  CHECK_THAT(error({"--cp", "0", "--shard-dim", "0"}), ContainsSubstring("--cp"));
  CHECK_THAT(error({"--cp", "two", "--shard-dim", "0"}), ContainsSubstring("--cp"));
  CHECK_THAT(error({"--cp", "2", "--shard-dim", "9"}), ContainsSubstring("--shard-dim"));
  const ProgramResult nothing = run_program({RUN_LAYER});
  CHECK_THAT(Attempt::error_line(nothing, 2), ContainsSubstring("required"));
}

TEST_CASE("a wrong layer or configuration ends with status 2") {
  const auto error = [](const std::string& layer, const std::string& config) {
    return Attempt{.layer = layer, .config = config}.fails(2);
  };
  CHECK_THAT(error("Liner", kLinear), ContainsSubstring("'Liner'") && ContainsSubstring("Linear"));
  CHECK_THAT(error("Linear", R"({"in_features": 3})"), ContainsSubstring("out_features"));
  CHECK_THAT(error("Linear", R"({"in_features": 3, "out_features": 2, "bais": 1})"),
             ContainsSubstring("'bais'"));
  CHECK_THAT(error("Linear", R"({"in_features": -3, "out_features": 2})"),
             ContainsSubstring("in_features"));
  CHECK_THAT(error("Linear", R"({"in_features": 3, "out_features": 2, "dtype": "int64"})"),
             ContainsSubstring("dtype"));
  CHECK_THAT(error("Linear", "{\"in_features\": 3,, }"), ContainsSubstring("--config"));
  CHECK_THAT(error("Linear", "/nowhere/config.json"), ContainsSubstring("/nowhere/config.json"));
  CHECK_THAT(error("Linear", "/"), ContainsSubstring("/"));
}

TEST_CASE("a plugin that is not there, or none, ends with status 2") {
  CHECK_THAT((Attempt{.more = {"--plugin", "nowhere.so"}}.fails(2)),
             ContainsSubstring("'nowhere.so'") && ContainsSubstring("No such file"));
  CHECK_THAT((Attempt{.more = {"--plugin", RUN_LAYER}}.fails(2)),
             ContainsSubstring("cannot be loaded as a library of layers"));
}

TEST_CASE("a dtype that is not the layer's ends with status 2") {
  const Tensor wide = ones({4, 3}, {.dtype = DType::float64});
  CHECK_THAT((Attempt{.in = {{"input.0", wide}}}.fails(2)),
             ContainsSubstring("float64") && ContainsSubstring("float32"));
  CHECK_THAT((Attempt{.in = {{"input.0", ones({4, 3})},
                             {"param.weight", ones({2, 3}, {.dtype = DType::float64})},
                             {"param.bias", ones({2})}}}
                  .fails(2)),
             ContainsSubstring("'param.weight'"));
  CHECK_THAT(
      (Attempt{.layer = "Embedding", .config = R"({"num_embeddings": 3, "embedding_dim": 2})"}
           .fails(2)),
      ContainsSubstring("int64"));
}

TEST_CASE("a dimension to share that the input does not have ends with status 2") {
  const auto error = [](const std::string& dim, const Tensor& x) {
    return Attempt{.in = {{"input.0", x}}, .more = {"--cp", "2", "--shard-dim", dim}}.fails(2);
  };
  for (const std::string dim : {"2", "3", "-3"}) {
    CHECK(error(dim, ones({4, 3})) ==
          "--shard-dim: expected a dimension of input.0, from -2 to 1, got " + dim);
  }
  CHECK(error("0", ones({})) == "--shard-dim: expected an input with dimensions to share, got 0");
}

TEST_CASE("null is no value of a layer's keys, but where they may be left out") {
  const auto config = [](const std::string& more) {
    return R"({"hidden_dim": 2, "kernel_size": 3, )" + more + "}";
  };
  const std::string layer = "DistributedDepthwiseConv1d";
  CHECK((Attempt{.layer = layer, .config = config(R"("causal": null)")}.fails(2)) ==
        "--config: line 1: 'causal': expected true or false, got null");
  CHECK((Attempt{.layer = layer, .config = config(R"("device": null)")}.fails(2)) ==
        "--config: line 1: 'device': expected a string, got null");
}

TEST_CASE("a number of ranks that the layer cannot have ends with status 2") {
  const std::vector<std::string> cp4 = {"--cp", "4", "--shard-dim", "1"};
  CHECK_THAT((Attempt{.layer = "HyenaOperator",
                      .config = R"({"d_model": 6, "l_max": 8})",
                      .in = {{"input.0", ones({1, 8, 6})}},
                      .more = cp4}
                  .fails(2)),
             ContainsSubstring("d_model") && ContainsSubstring("4") && ContainsSubstring("6"));
  CHECK_THAT((Attempt{.layer = "HyenaLM",
                      .config = R"({"vocab_size": 3, "d_model": 6, "l_max": 8, "n_layers": 1})",
                      .in = {{"input.0", zeros({1, 8}, {.dtype = DType::int64})}},
                      .more = cp4}
                  .fails(2)),
             ContainsSubstring("d_model"));
}

TEST_CASE("unfit values and shapes in IN end with status 1") {
  const auto error = [](StateDict in, std::vector<std::string> more = {}) {
    return Attempt{.in = std::move(in), .more = std::move(more)}.fails(1);
  };
  const Tensor x = ones({4, 3});
  CHECK_THAT(error({}), ContainsSubstring("'input.0'"));
  CHECK_THAT(error({{"input.0", x}, {"input.1", x}}), ContainsSubstring("'input.1'"));
  CHECK_THAT(error({{"input.0", x}, {"output", x}}), ContainsSubstring("'output'"));
  CHECK_THAT(error({{"input.0", x}, {"weight", x}}), ContainsSubstring("'weight'"));
  CHECK_THAT(error({{"input.0", ones({4, 5})}}), ContainsSubstring("[4, 5]"));
  CHECK(error({{"input.0", x}, {"grad_output", ones({4, 3})}}) ==
        "Linear: 'grad_output': expected the output's shape [4, 2], got [4, 3]");
  CHECK_THAT(error({{"input.0", x}, {"param.weight", ones({2, 3})}}), ContainsSubstring("bias"));
  CHECK_THAT(error({{"input.0", x}, {"param.weight", ones({3, 2})}, {"param.bias", ones({2})}}),
             ContainsSubstring("weight"));
  CHECK_THAT(error({{"input.0", x}, {"param.wieght", ones({2, 3})}, {"param.bias", ones({2})}}),
             ContainsSubstring("wieght"));
  CHECK_THAT(error({{"input.0", x}}, {"--cp", "3", "--shard-dim", "0"}),
             ContainsSubstring("3") && ContainsSubstring("[4, 3]"));
  const Tensor bad = from_vector<std::int64_t>({0, 1, 3}, {3});
  for (const std::vector<std::string>& more :
       {std::vector<std::string>{}, std::vector<std::string>{"--cp", "3", "--shard-dim", "0"}}) {
    CHECK_THAT((Attempt{.layer = "Embedding",
                        .config = R"({"num_embeddings": 3, "embedding_dim": 2})",
                        .in = {{"input.0", bad}},
                        .more = more}
                    .fails(1)),
               ContainsSubstring("got 3"));
  }
  CHECK_THAT((Attempt{.layer = "HyenaOperator",
                      .config = R"({"d_model": 4, "l_max": 8})",
                      .in = {{"input.0", ones({1, 9, 4})}}}
                  .fails(1)),
             ContainsSubstring("l_max"));
}

TEST_CASE("files that cannot be read or written end with status 1") {
  const TemporaryDirectory directory;
  const Attempt attempt;
  CHECK_THAT(attempt.fails(1, directory.path("none")), ContainsSubstring(directory.path("none")));
  CHECK_THAT(attempt.fails(1, directory.path()), ContainsSubstring(directory.path()));
  std::ofstream(directory.path("text")) << "this is no safetensors file";
  CHECK_THAT(attempt.fails(1, directory.path("text")), ContainsSubstring(directory.path("text")));
  save_safetensors(directory.path("in"), attempt.in);
  const ProgramResult result =
      run_program({RUN_LAYER, "--layer", "Linear", "--config", kLinear, "--in",
                   directory.path("in"), "--out", directory.path("none/out")});
  CHECK_THAT(Attempt::error_line(result, 1), ContainsSubstring("none/out"));
}

TEST_CASE("memory and devices that are not there end with status 1") {
  CHECK_THAT(
      (Attempt{.config = R"({"in_features": 1000000000, "out_features": 1000000})"}.fails(1)),
      ContainsSubstring("GiB") || ContainsSubstring("TiB") || ContainsSubstring("memory"));
  const int gpus = cuda_device_count();
  CHECK_THAT(
      (Attempt{.more = {"--device", "cuda:1000"}}.fails(1)),
      ContainsSubstring("got cuda:1000 (") &&
          ContainsSubstring(gpus > 0 ? str("this machine has ", gpus, " GPU")
                                     : std::string(has_cuda_build() ? "no GPU: " : "no CUDA; ")));
}

TEST_CASE("on a machine without a GPU, asking for one is an error of one line that says so") {
  const int emulated = ::setenv("CROCUTA_EMULATED_DEVICES", "0", 1);  // for builds that emulate
  REQUIRE(emulated == 0);
#if !defined(CROCUTA_CUDA_EMULATED)
  if (cuda_device_count() > 0) SKIP_TEST("there is a GPU here");
#endif
  const std::string expected =
      has_cuda_build() ? "'device': expected cpu, got cuda:0 (no GPU: "
                       : "'device': expected cpu, got cuda:0 (this build has no CUDA; configure "
                         "with -DCROCUTA_CUDA=ON)";
  CHECK_THAT((Attempt{.more = {"--device", "cuda"}}.fails(1)), ContainsSubstring(expected));
  ::unsetenv("CROCUTA_EMULATED_DEVICES");
}

TEST_CASE("untrusted text is escaped and cut") {
  CHECK_THAT((Attempt{.layer = "a\x1b[31m\nb"}.fails(2)), ContainsSubstring("\\x1b[31m\\x0ab"));
  CHECK((Attempt{.layer = long_name(5000)}.fails(2)).size() < 1000);
  CHECK((Attempt{.config = "{\"" + long_name(5000) + "\": 1}"}.fails(2)).size() < 1000);
  CHECK((Attempt{.more = {"--" + long_name(5000)}}.fails(2)).size() < 1000);
  CHECK_THAT((Attempt{.in = {{"input.0", ones({4, 3})}, {"\x1b]0;title\x07", ones({1})}}}.fails(1)),
             ContainsSubstring("\\x1b]0;title\\x07"));
  // Many bad names at once: all belong into one line of bounded length.
  StateDict in = {{"input.0", ones({4, 3})}};
  for (int i = 0; i < 500; ++i) in["param." + std::to_string(i) + long_name(400)] = ones({1});
  Attempt{.in = in}.fails(1);
}

}  // namespace crocuta::test
