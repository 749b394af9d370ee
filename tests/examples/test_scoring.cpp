#include "examples/hyena/app/scoring.h"

#include <cmath>
#include <fstream>
#include <map>
#include <sstream>

#include "examples/hyena/app/hyenadna.h"
#include "examples/hyena/trainer.h"
#include "framework/io/safetensors.h"
#include "framework/ops/ops.h"
#include "tests/support/catch.h"
#include "tests/support/check_op.h"
#include "tests/support/run_program.h"
#include "tests/support/temporary_directory.h"

namespace crocuta::test {
namespace {

const std::string kGolden = CROCUTA_SOURCE_DIR "/tests/golden/hyenadna";
using Tokens = std::vector<std::int64_t>;

struct Imported {
  Imported()
      : files(hyena::read_hyenadna(kGolden + "/small", 0.05)),
        model(hyena::model_options(files.options)) {
    model.load_state_dict(files.parameters);
    model.eval();
  }
  hyena::HyenaDna files;
  HyenaLM model;  // l_max 34, tokens A 7 C 8 G 9 T 10 N 11
};

Tokens some_bases(std::int64_t count) {
  Tokens tokens;
  for (std::int64_t i = 0; i < count; ++i) tokens.push_back(7 + (i * i + i / 3) % 5);
  return tokens;
}

// What forward() says of the token at `position` after those from `begin` on.
double by_forward(HyenaLM& model, const Tokens& tokens, std::int64_t begin, std::int64_t position) {
  const NoGrad no_grad;
  const Tokens part(tokens.begin() + begin, tokens.begin() + position);
  const Tensor ids = from_vector(part, {1, position - begin}, model.options().hyena.device);
  const Tensor last = select(select(model.forward(ids), 0, 0), 0, -1);
  return log_softmax(last).to_vector<double>()[static_cast<std::size_t>(
      tokens[static_cast<std::size_t>(position)] - 7)];
}

}  // namespace

TEST_CASE("every base that can be predicted is scored once, by the window that sees it first") {
  Imported dna;
  for (const std::int64_t size : {1, 2, 12, 13, 30, 47}) {
    const Tokens tokens = some_bases(size);
    std::map<std::int64_t, double> scores;
    std::int64_t rows = 0;
    hyena::score_sequence(
        dna.model, tokens, {.length = 12, .overlap = 6},
        [&](std::int64_t position, double value) { CHECK(scores.emplace(position, value).second); },
        [&](std::int64_t position, const Tensor& hidden) {
          CHECK(position == rows);
          rows += hidden.size(0);
        });
    CHECK(rows == size);
    for (std::int64_t t = 1; t < size; ++t) {
      CAPTURE(size, t);
      const bool unknown = tokens[static_cast<std::size_t>(t)] == 11;
      REQUIRE(scores.count(t) == (unknown ? 0 : 1));
      if (unknown) continue;
      // Windows end at 12, 18, 24, ...; the prediction of t is made at t - 1.
      const std::int64_t begin = t - 1 < 12 ? 0 : (t - 1 - 12) / 6 * 6 + 6;
      CHECK(scores.at(t) == Approx(by_forward(dna.model, tokens, begin, t)).epsilon(1e-10));
    }
  }
}

TEST_CASE("windows that the model cannot have are refused") {
  Imported dna;
  const auto message = [&](hyena::ScoreWindows windows) {
    return message_of<ArgumentError>(
        [&] { hyena::score_sequence(dna.model, some_bases(5), windows, {}); });
  };
  CHECK(message({.length = 35}) == "score: 'window': expected a length from 1 to l_max 34, got 35");
  CHECK(message({.length = 10, .overlap = 10}) ==
        "score: 'overlap': expected from 0 to below 10, got 10");
}

TEST_CASE("score_hyena prints tables, writes embeddings, and refuses what makes no sense") {
  const TemporaryDirectory folder;
  const std::string model = folder.path("model"), fasta = folder.path("records.fa");
  REQUIRE(
      run_program({CROCUTA_IMPORT_HYENADNA, "--from", kGolden + "/small", "--out", model}).status ==
      0);
  std::ofstream(fasta) << ">first with words\nACGTN\nACGT\n>second\nacgtacgtac\n";
  const auto score = [&](std::vector<std::string> more) {
    std::vector<std::string> all = {CROCUTA_SCORE_HYENA, "--checkpoint",   model, "--fasta", fasta,
                                    "--device",          device_argument()};
    all.insert(all.end(), more.begin(), more.end());
    return run_program(all);
  };
  Imported dna;
  const Tokens first = {7, 8, 9, 10, 11, 7, 8, 9, 10}, second = {7, 8, 9, 10, 7, 8, 9, 10, 7, 8};
  const auto total = [&](const Tokens& tokens) {
    double sum = 0;
    hyena::score_sequence(dna.model, tokens, {.length = 34, .overlap = 17},
                          [&](std::int64_t, double value) { sum += value; });
    return sum;
  };

  const ProgramResult table =
      score({"--embed", folder.path("e"), "--embed-positions", folder.path("p")});
  CAPTURE(table.err);
  REQUIRE(table.status == 0);
  std::istringstream lines(table.out);
  std::string header, name;
  std::getline(lines, header);
  CHECK(header == "record\ttokens\tlog_likelihood\tmean_log_likelihood\tbits_per_base");
  double tokens = 0, sum = 0, mean_value = 0, bits = 0;
  lines >> name >> tokens >> sum >> mean_value >> bits;
  CHECK(name == "first");
  CHECK(tokens == 9);
  CHECK(sum == Approx(total(first)).epsilon(1e-7));
  CHECK(mean_value == Approx(total(first) / 7).epsilon(1e-7));
  CHECK(bits == Approx(-total(first) / 7 / std::log(2.0)).epsilon(1e-7));
  const StateDict means = load_safetensors(folder.path("e")).tensors;
  const StateDict all = load_safetensors(folder.path("p")).tensors;
  REQUIRE(means.size() == 2);
  CHECK(all.at("first").shape() == Shape{9, 6});
  const NoGrad no_grad;
  const Tensor ids = from_vector(first, {1, 9}, dna.model.options().hyena.device);
  const Tensor hidden = mean(select(dna.model.hidden(ids), 0, 0), 0).to(Device::cpu());
  CHECK(allclose(means.at("first"), hidden.to(DType::float32), 1e-6, 1e-7));
  CHECK(allclose(mean(all.at("second"), 0), means.at("second"), 1e-5, 1e-6));

  const ProgramResult bases = score({"--per-base"});
  CHECK(std::count(bases.out.begin(), bases.out.end(), '\n') == 1 + 7 + 9);
  CHECK_THAT(bases.out, ContainsSubstring("first\t6\tA\t-"));

  std::ofstream(folder.path("v.tsv")) << "# record position reference alternative\n"
                                      << "second\t3\tG\tT\nsecond\t4\tTA\t-\r\n";
  const ProgramResult variants = score({"--variants", folder.path("v.tsv")});
  CAPTURE(variants.err);
  REQUIRE(variants.status == 0);
  Tokens changed = second;
  changed[2] = 10;
  std::istringstream ratios(variants.out);
  std::getline(ratios, header);
  CHECK(header == "record\tposition\treference\talternative\tlog_likelihood_ratio");
  std::string record, position, reference, alternative;
  double ratio = 0;
  ratios >> record >> position >> reference >> alternative >> ratio;
  CHECK(ratio == Approx(total(changed) - total(second)).margin(1e-6));

  const auto refusal = [&](const std::string& text, const std::string& wanted) {
    std::ofstream(folder.path("v.tsv")) << text;
    const ProgramResult result = score({"--variants", folder.path("v.tsv")});
    CHECK(result.status == 1);
    CHECK_THAT(result.err, ContainsSubstring(wanted));
  };
  refusal("second\t3\tA\tT\n", "second:3: expected 'A' there, found 'G'");
  refusal("second\t30\tA\tT\n", "second:30: expected 'A' there, found ''");
  refusal("third\t3\tA\tT\n", "record 'third' is not in");
  refusal("second\t3\tA\n", "line 1: expected record, position, reference and alternative");
  refusal("second\t0\tA\tT\n", "line 1: position");
  CHECK(score({"--window", "35"}).status == 2);
  CHECK(score({"--per-base", "--variants", folder.path("v.tsv")}).status == 2);
  std::ofstream(fasta) << ">same\nACGT\n>same\nACG\n";
  CHECK(score({}).status == 0);
  CHECK_THAT(score({"--embed", folder.path("e2")}).err,
             ContainsSubstring("two records are called 'same'"));
}

}  // namespace crocuta::test
