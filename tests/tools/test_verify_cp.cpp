// verify_cp: what agrees is found to agree, and what does not is named.
#include <sstream>

#include "distributed/collectives.h"
#include "framework/io/safetensors.h"
#include "framework/ops/ops.h"
#include "layers/linear.h"
#include "layers/registry.h"
#include "tests/support/catch.h"
#include "tests/support/temporary_directory.h"
#include "tools/verify_cp/verify_cp_program.h"

namespace crocuta::test {
namespace {

constexpr std::int64_t kWidth = 4;

// x [B, L/P, 4] times a learned scale, done wrong in one way on several ranks.
class Faulty : public Layer {
 public:
  explicit Faulty(std::string fault)
      : fault_(std::move(fault)),
        scale_(param("scale", full({kWidth}, 1.5, {.dtype = DType::float64}))) {}

  Tensor forward(const Tensor& x, const ProcessGroup& cp) override {
    const bool parallel = cp.size() > 1;
    if (fault_ == "positions") {  // of this rank's part instead of the whole sequence
      return x * scale_ + reshape(arange(x.size(1)).to(DType::float64), {1, -1, 1});
    }
    if (fault_ == "average") {  // the collective without a gradient
      const Tensor sum_here = sum(x, {1}, true);
      return x * scale_ - (parallel ? cp.all_reduce(sum_here) : sum_here);
    }
    if (fault_ == "parameter") {  // rank 0's part of its gradient only
      return x * (cp.rank() == 0 ? scale_ : scale_.detach());
    }
    if (fault_ == "throws" && cp.rank() == 1) throw ShapeError("no room on this rank");
    if (fault_ == "shape" && parallel) return narrow(x * scale_, 1, 0, 1);
    if (fault_ == "nan" && parallel) return x * scale_ / 0.0 * 0.0;
    return x * scale_;
  }

 private:
  const std::string fault_;
  Tensor scale_;
};

// Linear, Faulty, Linear.
class Chain : public Layer {
 public:
  explicit Chain(const Config& config)
      : fault_(config.get_string("fault")),
        first_(child<Linear>("first", linear())),
        middle_(child<Faulty>("middle", fault_)),
        last_(child<Linear>("last", linear())) {
    config.get_string("dtype", "");
    config.get_string("device", "");
    config.finish();
  }

  Tensor forward(const Tensor& x, const ProcessGroup& cp) override {
    const bool parallel = cp.size() > 1;
    const Tensor a = first_(x, cp), b = fault_ == "skipped" && parallel ? a : middle_(a, cp);
    Tensor y = last_(b, cp);
    if (fault_ == "output" && parallel) y = y + (y - y.detach());  // twice the gradient
    if (fault_ == "whole") return all_reduce_sum(sum(y, {1}), cp);
    return y;
  }

 private:
  static Linear::Options linear() {
    return {.in_features = kWidth, .out_features = kWidth, .dtype = DType::float64};
  }
  const std::string fault_;
  Linear& first_;
  Faulty& middle_;
  Linear& last_;
};

CROCUTA_REGISTER_LAYER("Chain", Chain);

struct Outcome {
  int status;
  std::string out, err;
};

Outcome verify(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "verify_cp");
  std::vector<const char*> argv;
  for (const std::string& argument : arguments) argv.push_back(argument.c_str());
  std::ostringstream out, err;
  const int status = verify_cp(static_cast<int>(argv.size()), argv.data(), out, err);
  return {status, out.str(), err.str()};
}

Outcome verify_chain(const std::string& fault, const std::string& ranks = "3") {
  return verify({"--layer", "Chain", "--config", "{\"fault\": \"" + fault + "\"}", "--shape",
                 "2,6,4", "--cp", ranks});
}

// The line that names what differs first.
std::string first_of(const Outcome& outcome) {
  const std::string head = "First to differ: ";
  const std::size_t begin = outcome.out.find(head);
  if (begin == std::string::npos) return outcome.out + outcome.err;
  const std::size_t from = begin + head.size();
  return outcome.out.substr(from, outcome.out.find('\n', from) - from);
}

}  // namespace

TEST_CASE("the layers of this library agree on any number of ranks") {
  struct Use {
    std::string layer, config, shape;
    std::vector<std::string> more = {};
  };
  const std::string hyena = R"({"d_model": 12, "l_max": 24, "filter_order": 8)";
  for (const Use& use : std::vector<Use>{
           {"Linear", R"({"in_features": 5, "out_features": 3})", "2,12,5"},
           {"LayerNorm", R"({"dim": 5})", "2,12,5"},
           {"MLP", R"({"d_model": 5})", "12,5", {"--shard-dim", "0"}},
           {"Embedding", R"({"num_embeddings": 9, "embedding_dim": 5})", "2,12", {"--ids", "9"}},
           {"DistributedDepthwiseConv1d",
            R"({"hidden_dim": 12, "kernel_size": 5, "num_groups": 2, "bias": true})", "2,12,30"},
           {"HyenaOperator", hyena + "}", "2,24,12"},
           {"HyenaBlock", hyena + R"(, "dropout": 0.2})", "2,24,12"}}) {
    for (const std::string ranks : {"1", "2", "3", "4"}) {
      std::vector<std::string> arguments = {"--layer", use.layer, "--config", use.config,
                                            "--shape", use.shape, "--cp",     ranks};
      arguments.insert(arguments.end(), use.more.begin(), use.more.end());
      const Outcome outcome = verify(arguments);
      CAPTURE(use.layer, ranks, outcome.out, outcome.err);
      CHECK(outcome.status == 0);
      CHECK(outcome.out.ends_with("All agree.\n"));
      CHECK(outcome.err.empty());
    }
  }
}

TEST_CASE("a table says how far each layer is off") {
  const Outcome right = verify_chain("none");
  CHECK(right.status == 0);
  CHECK_THAT(right.out, ContainsSubstring("Chain on 3 ranks beside one, float64, input [2, 6, 4], "
                                          "tolerance 1e-11\n"));
  for (const char* name : {"\nfirst ", "\nmiddle ", "\nlast ", "\nChain "}) {
    CHECK_THAT(right.out, ContainsSubstring(name));
  }
  CHECK(right.out.find(" !") == std::string::npos);
  const Outcome wrong = verify_chain("positions");
  const std::size_t middle = wrong.out.find("\nmiddle ");
  REQUIRE(middle != std::string::npos);
  CHECK(wrong.out.substr(0, middle).find(" !") == std::string::npos);
  CHECK(wrong.out.substr(middle, wrong.out.find('\n', middle + 1) - middle).find(" !") !=
        std::string::npos);
}

TEST_CASE("the broken layer is named as the first to differ") {
  const auto first = [](const std::string& fault) {
    const Outcome outcome = verify_chain(fault);
    CHECK(outcome.status == 1);
    return first_of(outcome);
  };
  CHECK(first("positions") == "middle, in its output.");
  CHECK(first("shape") == "middle, in its output.");
  CHECK(first("nan") == "middle, in its output.");
  CHECK(first("average") == "middle, in the gradient of its input.");
  CHECK(first("parameter") == "middle, in the gradient of scale.");
  CHECK(first("output") == "what uses the output of last, in the gradient that comes from there.");
  CHECK(first("skipped") == "middle, which 3 ranks do not call as one rank does.");
}

TEST_CASE("a layer that fails on a rank is named with its error") {
  const Outcome outcome = verify_chain("throws");
  CHECK(outcome.status == 1);
  CHECK(outcome.err ==
        "verify_cp: error: on rank 1 of 3, with middle at work: no room on this rank\n");
}

TEST_CASE("what every rank holds whole is compared whole, and its gradients added up") {
  const Outcome outcome = verify_chain("whole");
  INFO(outcome.out << outcome.err);
  CHECK(outcome.status == 0);
}

TEST_CASE("the input, and parameters, can come from a file") {
  const TemporaryDirectory directory;
  save_safetensors(directory.path("in"), {{"input.0", ones({2, 6, 4}, {.dtype = DType::float64})}});
  const std::vector<std::string> use = {
      "--layer", "Chain", "--config", R"({"fault": "none"})", "--in", directory.path("in")};
  CHECK(verify(use).status == 0);
  save_safetensors(directory.path("in"), {{"input.0", ones({2, 6, 4}, {.dtype = DType::float64})},
                                          {"param.middle.scale", ones({4})}});
  const Outcome outcome = verify(use);
  CHECK(outcome.status == 2);
  CHECK_THAT(outcome.err, ContainsSubstring("missing 'first.weight'"));
}

TEST_CASE("verify_cp refuses what makes no sense in one line, with status 2") {
  const auto refused = [](const std::vector<std::string>& arguments) {
    const Outcome outcome = verify(arguments);
    CHECK(outcome.status == 2);
    CHECK(outcome.out.empty());
    CHECK(std::count(outcome.err.begin(), outcome.err.end(), '\n') == 1);
    return outcome.err;
  };
  const std::string config = R"({"fault": "none"})";
  CHECK_THAT(refused({"--layer", "Nothing", "--config", "{}", "--shape", "2,2"}),
             ContainsSubstring("verify_cp: error: registry: unknown layer 'Nothing'"));
  CHECK_THAT(refused({"--layer", "Chain", "--config", config}),
             ContainsSubstring("--shape: expected the input's sizes, or --in IN, got nothing"));
  CHECK_THAT(refused({"--layer", "Chain", "--config", config, "--shape", "2,x"}),
             ContainsSubstring("--shape"));
  CHECK_THAT(refused({"--layer", "Chain", "--config", config, "--shape", "2,5,4"}),
             ContainsSubstring("--cp: expected a divisor of the input's 5 along --shard-dim 1, "
                               "got 2"));
  CHECK_THAT(refused({"--layer", "Chain", "--config", config, "--shape", "2,6,5"}),
             ContainsSubstring("[.., 4]"));
  CHECK_THAT(refused({"--layer", "Chain"}), ContainsSubstring("--config"));
  CHECK_THAT(refused({"--tolerance", "-1"}), ContainsSubstring("--tolerance"));
  CHECK_THAT(refused({"--cp", "0"}), ContainsSubstring("--cp"));
  CHECK_THAT(refused({"--in", "/nowhere"}), ContainsSubstring("/nowhere"));
  // Nothing compared is nothing shown.
  CHECK_THAT(refused({"--layer", "Chain", "--config", config, "--shape", "2,0,4"}),
             ContainsSubstring("'shape[1]': expected an integer from 1 to"));
  CHECK_THAT(refused({"--layer", "Chain", "--config", config, "--shape", ""}),
             ContainsSubstring("--shape: expected "));
  CHECK_THAT(refused({"--shape", "2"}),
             ContainsSubstring("error: --shard-dim: 'dim': expected from -1 to 0, got 1"));
}

}  // namespace crocuta::test
