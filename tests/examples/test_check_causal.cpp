// The language model does not look ahead, and train_hyena --check-causal says so.
#include <filesystem>

#include "framework/ops/ops.h"
#include "framework/tensor/random.h"
#include "layers/hyena/lm.h"
#include "layers/inspect/causality.h"
#include "tests/layers/layer_checks.h"
#include "tests/support/catch.h"
#include "tests/support/run_program.h"
#include "tests/support/temporary_directory.h"

namespace crocuta::test {
namespace {

constexpr std::int64_t kVocabulary = 7, kLength = 30;

Tensor ids(std::int64_t cut) {
  std::vector<std::int64_t> values;
  for (std::int64_t i = 0; i < 2 * kLength; ++i) {
    const std::int64_t id = (i * i + 3 * i) % kVocabulary;
    values.push_back(i % kLength < cut ? id : (id + 1 + i % 5) % kVocabulary);
  }
  return from_vector(values, {2, kLength}, {DType::int64, default_device()});
}

// With a model that fits any machine.
ProgramResult train(const std::vector<std::string>& more) {
  std::vector<std::string> arguments = {CROCUTA_TRAIN_HYENA, "--device", device_argument()};
  for (const char* key :
       {"d_model=8", "filter_order=8", "seq_len=14", "test_sequences=8", "batch_size=4"}) {
    arguments.insert(arguments.end(), {"--set", key});
  }
  arguments.insert(arguments.end(), more.begin(), more.end());
  return run_program(arguments);
}

}  // namespace

TEST_CASE("later tokens move no earlier logit and no gradient of an earlier loss") {
  for (const DType dtype : {DType::float32, DType::float64, DType::bfloat16, DType::float16}) {
    HyenaLM model({.vocab_size = kVocabulary,
                   .hyena = {.d_model = 8,
                             .l_max = kLength,
                             .filter_order = 8,
                             .n_layers = 2,
                             .dropout = 0.3,  // off during the check
                             .dtype = dtype,
                             .device = default_device()}});
    for (const std::int64_t cut : {1, 8, 15, 29}) {
      CAPTURE(dtype, cut);
      const CausalityReport report =
          check_causality(model, ids(kLength), ids(cut), cut, causality_tolerance(dtype));
      CHECK(report.first == "");
      CHECK(report.layers.size() == 19);
      CHECK(report.worst_output() <= causality_tolerance(dtype));
      // The check does compare: the first change is seen at once one position later.
      CHECK(check_causality(model, ids(kLength), ids(cut), cut + 1, causality_tolerance(dtype))
                .first != "");
    }
  }
}

TEST_CASE("--check-causal checks a new model or a trained one, on one rank or several") {
  const TemporaryDirectory folder;
  const std::string root = folder.path("run");
  const auto passes = [&](const std::vector<std::string>& arguments) {
    const ProgramResult result = train(arguments);
    CAPTURE(result.out, result.err);
    CHECK(result.status == 0);
    CHECK(result.err.empty());
    CHECK_THAT(result.out, ContainsSubstring("  2 sequences of 16 tokens, changed from positions "
                                             "1, 4, 8, 15 on\n"));
    CHECK(result.out.ends_with("\nThe model does not look ahead.\n"));
  };
  passes({"--check-causal", "--out", root});
  passes({"--check-causal", "--out", root, "--dtype", "bfloat16", "--cp", "2"});
  CHECK_FALSE(std::filesystem::exists(root));  // nothing was trained
  REQUIRE(train({"--out", root, "--steps", "3"}).status == 0);
  const auto size = std::filesystem::file_size(root + "/metrics.jsonl");
  passes({"--check-causal", "--resume", root});
  passes({"--check-causal", "--resume", root, "--cp", "4"});
  CHECK(std::filesystem::file_size(root + "/metrics.jsonl") == size);
}

}  // namespace crocuta::test
