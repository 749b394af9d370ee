// What is never a target has no share in loss, evaluation and decoding; windows with nothing to
// predict take no part in training.
#include <cmath>
#include <fstream>

#include "examples/hyena/app/check_causal.h"
#include "examples/hyena/app/session.h"
#include "examples/hyena/decode.h"
#include "tests/examples/tiny_run.h"
#include "tests/support/catch.h"
#include "tests/support/check_op.h"
#include "tests/support/checkpoints.h"
#include "tests/support/temporary_directory.h"

namespace crocuta::test {
namespace {

using hyena::Options;

// A genome of which three quarters are N, in stretches longer than a window.
Options genome_options(const TemporaryDirectory& folder) {
  std::string bases = ">x\n";
  for (int i = 0; i < 2000; ++i) bases += i % 200 < 50 ? "ACGT"[i * i % 7 % 4] : 'N';
  std::ofstream(folder.path("x.fa")) << bases;
  Options o = tiny_options();
  o.task = "dna";
  o.data = {folder.path("x.fa")};
  o.seq_len = 16;
  o.heldout = 0.2;
  return o;
}

}  // namespace

TEST_CASE("who knows nothing pays for the tokens that can come, and for no others") {
  const TemporaryDirectory folder;
  Options text = tiny_options();
  text.task = "text";
  text.data = {folder.path("text")};
  std::ofstream(folder.path("text")) << std::string(400, 'x');
  const auto untrained = [](const Options& o, double choices) {
    for (const int cp : {1, 2}) {
      CAPTURE(o.task, cp);
      Options shared = o;
      shared.cp = cp;
      std::vector<double> nats(2);
      run_ranks(cp, [&](const ProcessGroup& world) {
        TinyRun run(shared, world);
        // All logits are 0: the head is the embedding's transpose.
        run.trainer.model().state_dict().at("embedding.weight").detach().fill_(0);
        const double evaluated = run.trainer.evaluate(8).nats, trained = run.trainer.step().loss;
        if (world.rank() == 0) nats = {evaluated, trained};
      });
      for (const double each : nats) CHECK(each == Approx(std::log(choices)).epsilon(1e-6));
    }
  };
  untrained(genome_options(folder), 4);
  untrained(text, 256);
  untrained(tiny_options(), 5);  // 6 symbols, of which "." only fills up
}

TEST_CASE("what is never a target is never generated") {
  const TemporaryDirectory folder;
  for (const Options& o : {genome_options(folder), tiny_options()}) {
    CAPTURE(o.task);
    TinyRun run(o);
    HyenaLM& model = run.trainer.model();
    const TokenRange range = run.task->codec().predicted();
    CHECK(model.state_dict().at("embedding.weight").size(0) == range.count + 1);
    CHECK(hyena::next_logits(model, {1, 2}).size() == static_cast<std::size_t>(range.count));
    for (const double temperature : {0.0, 1.0, 100.0}) {
      for (const std::int64_t token : hyena::continue_sequence(
               model, {1, 2}, {.max_tokens = 60, .temperature = temperature})) {
        CHECK(token >= range.first);
        CHECK(token < range.first + range.count);
      }
    }
  }
}

TEST_CASE("every batch of a genome that is mostly unknown teaches something, on any ranks") {
  const TemporaryDirectory folder;
  Options o = genome_options(folder);
  o.model.dtype = DType::float64;
  o.batch_size = 2;
  TinyRun run(o);
  for (std::int64_t i = 0; i < 100; ++i) CHECK(run.task->train_batch(i, 1).scored() > 0);
  for (std::int64_t i = 0; i < run.task->test_rows(); ++i) {
    CHECK(run.task->test_batch(i, 1).scored() > 0);
  }
  const std::vector<double> one = run.train(6);
  for (const double loss : one) CHECK(loss > 0.1);
  const hyena::Evaluation all = run.trainer.evaluate(run.task->test_rows());
  CHECK(all.scored == 2 * 50);  // the known bases of the last 400
  for (const int cp : {1, 2}) {
    o.cp = cp;
    const std::vector<double> two = losses_on(2, o, 6);
    for (std::size_t i = 0; i < one.size(); ++i) CHECK(two[i] == Approx(one[i]).epsilon(1e-11));
  }
}

TEST_CASE("the causality check passes where some tokens have no logits") {
  const TemporaryDirectory folder;
  hyena::RunPlan plan{.options = genome_options(folder), .root = {}, .checkpoint = {}};
  for (const int cp : {1, 2}) {
    plan.options.cp = cp;
    std::vector<int> status(static_cast<std::size_t>(cp), -1);
    run_ranks(cp, [&](const ProcessGroup& world) {
      status[static_cast<std::size_t>(world.rank())] = hyena::run_causality_check(world, plan);
    });
    CHECK(status == std::vector<int>(status.size(), 0));
  }
}

TEST_CASE("data that changes while training is saved first, then said") {
  const TemporaryDirectory folder;
  Options o = genome_options(folder);
  o.save_every = 1;
  o.steps = o.schedule_steps = 3;
  const std::string data = o.data[0], root = folder.path("run");
  const hyena::RunPlan plan{.options = o, .root = root, .checkpoint = {}};
  const std::string bases = read(data);
  // Meddles with the data while step `when` is saved.
  const auto run = [&](int when, const std::function<void()>& meddle) {
    std::filesystem::remove_all(root);
    write(data, bases);
    int saved = 0;
    const Hook hook([&](const char* call, const std::string& path) {
      const bool saves = std::string(call) == "rename" && path == root + "/.saving";
      if (saves && ++saved == when) meddle();
      return 0;
    });
    return hyena::run_session(ProcessGroup(), plan);
  };
  Warnings warnings;
  const std::string gone = "data: '" + data +
                           "': changed while in use: No such file or directory; all is saved in " +
                           root;
  CHECK(message_of<Error>([&] { run(1, [&] { std::filesystem::remove(data); }); }) ==
        gone + ", and goes on with --resume once the data is back");
  CHECK(exists(step_path(root, 1) + "/manifest.json"));
  CHECK_FALSE(exists(step_path(root, 2)));
  CHECK(warnings.lines.empty());

  CHECK(run(3, [&] { std::filesystem::remove(data); }) == 0);  // nothing is left to be done
  CHECK(warnings.lines == std::vector<std::string>{"crocuta: warning: " + gone});
  warnings.lines.clear();

  // Equal contents are no reason to stop, or for a word.
  CHECK(run(1, [&] {
          std::filesystem::remove(data);
          write(data, bases);
        }) == 0);
  CHECK(exists(step_path(root, 3)));
  CHECK(warnings.lines.empty());
}

}  // namespace crocuta::test
