// Ranks that were given different runs find that out before the first step.
#include "examples/hyena/app/agreement.h"

#include <fstream>

#include "distributed/init.h"
#include "examples/hyena/app/together.h"
#include "tests/examples/tiny_run.h"
#include "tests/support/catch.h"
#include "tests/support/check_op.h"
#include "tests/support/temporary_directory.h"

namespace crocuta::test {
namespace {

using hyena::Options;
using hyena::RunPlan;

std::string rank(int number) {
  return str("rank ", number, " (", distributed::host_name(), ")");
}

// What all three ranks say where the last one does `other`, and the first two `usual`.
template <class E, class Value>
std::string refusal(const Value& usual, const Value& other,
                    const std::function<void(const ProcessGroup&, const Value&)>& compare) {
  std::vector<std::string> said(3);
  run_ranks(3, [&](const ProcessGroup& world) {
    const Value& mine = world.rank() == 2 ? other : usual;
    try {
      compare(world, mine);
    } catch (const E& error) {
      said[static_cast<std::size_t>(world.rank())] = error.what();
    }
  });
  CHECK(said[1] == said[0]);
  CHECK(said[2] == said[0]);
  return said[0];
}

std::string plan_refusal(const RunPlan& usual, const RunPlan& other) {
  return refusal<ArgumentError, RunPlan>(usual, other, hyena::require_same_plan);
}

std::string data_refusal(const Options& usual, const Options& other) {
  return refusal<hyena::SharedFailure, Options>(
      usual, other,
      [](const ProcessGroup& world, const Options& o) { hyena::make_same_task(world, o); });
}

}  // namespace

TEST_CASE("every option that all ranks share is compared, by key") {
  const RunPlan plan{.options = tiny_options(), .root = "here", .checkpoint = {}};
  CHECK(plan_refusal(plan, plan).empty());
  RunPlan other = plan;
  // What one rank may have of its own: where files are, and how many threads.
  other.root = "there";
  other.options.out = "elsewhere";
  other.options.data = {"a"};
  other.options.threads = 7;
  CHECK(plan_refusal(plan, other).empty());
  const auto differs = [&](const std::string& key, const std::string& here,
                           const std::string& there, auto change) {
    other = plan;
    change(other.options);
    CHECK(plan_refusal(plan, other) == str("'", key, "': expected the same on all ranks, got ",
                                           here, " on ", rank(0), " and ", rank(1), ", ", there,
                                           " on ", rank(2)));
  };
  differs("learning_rate", "0.005", "0.01", [](Options& o) { o.learning_rate = 0.01; });
  differs("cp", "1", "3", [](Options& o) { o.cp = 3; });
  differs("seed", "0", "1", [](Options& o) { o.seed = 1; });
  differs("task", "\"recall\"", "\"text\"", [](Options& o) { o.task = "text"; });
  differs("dtype", "\"float32\"", "\"float64\"",
          [](Options& o) { o.model.dtype = DType::float64; });
  differs("log_every", "10", "5", [](Options& o) { o.log_every = 5; });
  differs("eval_every", "100", "5", [](Options& o) { o.eval_every = 5; });
  differs("on_nan", "\"stop\"", "\"skip\"", [](Options& o) { o.on_nan = "skip"; });
  if (!CommOptions::check_collectives_by_default()) {
    differs("check_collectives", "false", "true", [](Options& o) { o.check_collectives = true; });
  }
}

TEST_CASE("ranks that resume from different checkpoints are told apart by their contents") {
  const TemporaryDirectory folder;
  RunPlan plan{.options = tiny_options(), .root = folder.path("a"), .checkpoint = {}};
  TinyRun run(plan.options);
  const auto save = [&](const std::string& name) {
    CheckpointStore(folder.path(name)).save(run.trainer.contents());
    return load_latest(folder.path(name));
  };
  plan.checkpoint = save("a");
  RunPlan other = plan;
  other.checkpoint = save("b");
  CHECK(plan_refusal(plan, other).empty());  // equal contents under another name
  run.train(1);
  other.checkpoint = save("b");
  const std::string said = plan_refusal(plan, other);
  CHECK_THAT(said, ContainsSubstring("'checkpoint': expected the same on all ranks, got ") &&
                       ContainsSubstring(folder.path("a") + "/step-00000000") &&
                       ContainsSubstring(folder.path("b") + "/step-00000001") &&
                       ContainsSubstring(" on " + rank(2)));
  other.checkpoint.reset();
  CHECK_THAT(plan_refusal(plan, other), ContainsSubstring(", none on " + rank(2)));
}

TEST_CASE("ranks that read different data are told apart by contents, whatever the files' names") {
  const TemporaryDirectory folder;
  const auto file = [&](const std::string& name, const std::string& text) {
    std::ofstream(folder.path(name), std::ios::binary) << text;
    return folder.path(name);
  };
  std::string bases = ">x\n";
  for (int i = 0; i < 400; ++i) bases += "ACGT"[i * i % 7 % 4];
  std::string other = bases;
  other[200] = other[200] == 'A' ? 'C' : 'A';  // of equal length
  for (const std::string task : {"dna", "text"}) {
    Options here = tiny_options();
    here.task = task;
    here.data = {file("here", bases)};
    Options there = here;
    there.data = {file("copy", bases)};
    CHECK(data_refusal(here, there).empty());
    there.data = {file("there", other)};
    const std::string said = data_refusal(here, there);
    CHECK_THAT(said, ContainsSubstring("'data file 1': expected the same on all ranks, got " +
                                       folder.path("here") + " (403 bytes of fingerprint ") &&
                         ContainsSubstring(") on " + rank(0) + " and " + rank(1) + ", " +
                                           folder.path("there") + " (403 bytes of fingerprint ") &&
                         Catch::Matchers::EndsWith(" on " + rank(2)));
    there.data = {here.data[0], file("there", other)};
    CHECK_THAT(data_refusal(here, there),
               ContainsSubstring("'data file 2': expected the same on all ranks, got nothing on "));
    there.data = {folder.path("none")};
    CHECK(data_refusal(here, there) == rank(2) + ": data: '" + folder.path("none") +
                                           "': cannot be opened: No such file or directory");
    here.data = there.data;
    CHECK(data_refusal(here, there) ==
          "data: '" + folder.path("none") + "': cannot be opened: No such file or directory");
  }
}

}  // namespace crocuta::test
