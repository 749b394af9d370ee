// train_hyena and generate_hyena as a user meets them: exit status, messages, files.
#include "tests/examples/programs.h"

namespace crocuta::test {
namespace {

// "step" → the rest of the lines of metrics.jsonl that hold a training loss.
std::vector<std::string> losses(const std::string& root) {
  std::istringstream lines(slurp(root + "/metrics.jsonl"));
  std::vector<std::string> found;
  for (std::string line; std::getline(lines, line);) {
    const std::size_t end = line.find(", \"train_accuracy\"");
    if (end != std::string::npos) found.push_back(line.substr(0, end));
  }
  return found;
}

}  // namespace

TEST_CASE("a run trains, says what it learned, and leaves a checkpoint that answers") {
  const TemporaryDirectory folder;
  const std::string run = folder.path("run");
  const ProgramResult result = train({"--steps", "20", "--out", run});
  CAPTURE(result.out, result.err);
  REQUIRE(result.status == 0);
  CHECK(result.err.empty());
  CHECK_THAT(result.out, ContainsSubstring("Held-out accuracy: "));
  CHECK_THAT(result.out, ContainsSubstring("(chance 50.0 %)"));
  CHECK_THAT(result.out, ContainsSubstring("Training for 20 steps, each on 4 sequences of 16 "));
  // What an untrained model achieves is in the metrics only.
  CHECK_THAT(result.out, !ContainsSubstring("step 0:"));
  CHECK_THAT(slurp(run + "/metrics.jsonl"), ContainsSubstring("{\"step\": 0, \"heldout_loss\": "));
  CHECK(fs::exists(run + "/step-00000020/model.safetensors"));
  CHECK(losses(run).size() == 2);

  const ProgramResult answer =
      generate({"--checkpoint", run, "--prompt", "a B => a", "--temperature", "0"});
  CHECK(answer.status == 0);
  CHECK(answer.out.starts_with("a B => a "));
  CHECK(answer.out == generate({"--checkpoint", run + "/step-00000020", "--prompt", "a B => a",
                                "--temperature", "0", "--seed", "7"})
                          .out);
  check_refusal(generate({"--checkpoint", run, "--prompt", "a x"}), 2, "got 'x'");
  check_refusal(generate({"--checkpoint", run, "--prompt", ""}), 2,
                "error: prompt: expected at least one token, got none");
  check_refusal(generate({"--checkpoint", folder.path("none"), "--prompt", "a"}), 1,
                "no such directory");
  check_refusal(generate({"--checkpoint", folder.path(), "--prompt", "a"}), 1,
                "holds no checkpoint");
  check_refusal(generate({"--prompt", "a"}), 2, "--checkpoint is required");
  check_refusal(generate({"--checkpoint", run, "--prompt", "a", "--temperature", "-1"}), 2,
                "--temperature");

  check_refusal(train({"--out", run}), 2, "holds a run already");
}

TEST_CASE("DNA and text runs report bits beside Markov models, and continue a prompt") {
  const TemporaryDirectory folder;
  std::string bases, text;
  for (int i = 0; i < 600; ++i) bases += "ACGTTGCA"[(i * i + i / 7) % 8];
  for (int i = 0; i < 200; ++i) text += "ab" + std::to_string(i % 13) + "\n";
  write(folder.path("x.fa"), ">x\n" + bases + "\nNNRY\n");
  write(folder.path("x.txt"), text);
  for (const std::string task : {"dna", "text"}) {
    const std::string run = folder.path(task);
    const ProgramResult result =
        train({"--task", task, "--data", folder.path(task == "dna" ? "x.fa" : "x.txt"), "--out",
               run, "--steps", "10"});
    CAPTURE(result.out, result.err);
    REQUIRE(result.status == 0);
    CHECK_THAT(result.out, ContainsSubstring(task == "dna" ? "bits per base" : "bits per byte"));
    CHECK_THAT(result.out, ContainsSubstring("than the best of them, order "));
    if (task == "dna") CHECK_THAT(result.err, ContainsSubstring("2 ambiguous bases"));
    const ProgramResult more =
        generate({"--checkpoint", run, "--prompt", "AC", "--max-tokens", "30"});
    CHECK(more.status == 0);
    CHECK(more.out.size() == 2 + 30 + 1);
  }
}

TEST_CASE("a small held-out region is shown as it is, and losses are in its unit") {
  const TemporaryDirectory folder;
  std::string bases;
  for (int i = 0; i < 140; ++i) bases += "ACGT"[i * i % 7 % 4];
  write(folder.path("x.fa"), ">x\n" + bases);
  const ProgramResult result = train({"--task", "dna", "--data", folder.path("x.fa"), "--out",
                                      folder.path("run"), "--steps", "10"});
  CAPTURE(result.out, result.err);
  REQUIRE(result.status == 0);
  CHECK_THAT(result.out, ContainsSubstring("\n  " + bases.substr(126) + " | "));  // the last 14
  std::istringstream lines(result.out);
  int steps = 0;
  for (std::string line; std::getline(lines, line);) {
    if (line.find("  loss ") == std::string::npos) continue;
    ++steps;
    CHECK_THAT(line, ContainsSubstring(" bits per base  "));
  }
  CHECK(steps == 1);
}

TEST_CASE("a resumed run logs the losses of one that never stopped") {
  const TemporaryDirectory folder;
  const std::string whole = folder.path("whole"), halves = folder.path("halves");
  const Arguments every = {"--set", "log_every=1", "--set", "schedule_steps=20"};
  const auto with = [&](Arguments arguments) {
    arguments.insert(arguments.end(), every.begin(), every.end());
    return train(arguments);
  };
  REQUIRE(with({"--steps", "20", "--out", whole}).status == 0);
  REQUIRE(with({"--steps", "9", "--out", halves}).status == 0);
  const ProgramResult resumed = train(
      {"--resume", halves, "--steps", "20", "--set", "log_every=1", "--device", device_argument()},
      false);
  CAPTURE(resumed.out, resumed.err);
  REQUIRE(resumed.status == 0);
  CHECK_THAT(resumed.out, ContainsSubstring("Resuming at step 9"));
  CHECK(losses(whole).size() == 20);
  CHECK(losses(halves) == losses(whole));
  CHECK(slurp(halves + "/step-00000020/model.safetensors") ==
        slurp(whole + "/step-00000020/model.safetensors"));
  CHECK(slurp(halves + "/step-00000020/optimizer.safetensors") ==
        slurp(whole + "/step-00000020/optimizer.safetensors"));

  SECTION("another configuration is refused, difference by difference") {
    check_refusal(
        train({"--resume", halves, "--lr", "0.01", "--seed", "3"}, false), 2,
        "learning_rate: 0.01 here, 0.002 in the checkpoint; seed: 3 here, 0 in the checkpoint");
  }
  SECTION("a finished run says how to go on") {
    const ProgramResult again = train({"--resume", halves}, false);
    CHECK(again.status == 0);
    CHECK_THAT(again.out, ContainsSubstring("Trained already: step 20 of 20"));
  }
  SECTION("a damaged checkpoint is named, and the one before it taken") {
    std::fstream file(halves + "/step-00000020/model.safetensors",
                      std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(-3, std::ios::end);
    file.put('\x55');
    file.close();
    const ProgramResult older = train({"--resume", halves}, false);
    CAPTURE(older.out, older.err);
    CHECK(older.status == 0);
    CHECK_THAT(older.err, ContainsSubstring("model.safetensors"));
    CHECK_THAT(older.out, ContainsSubstring("Resuming at step 9"));
  }
}

TEST_CASE("ranks that are threads log the losses of one rank") {
  const TemporaryDirectory folder;
  REQUIRE(train({"--steps", "6", "--set", "log_every=1", "--dtype", "float64", "--out",
                 folder.path("1")})
              .status == 0);
  const ProgramResult two = train({"--steps", "6", "--set", "log_every=1", "--dtype", "float64",
                                   "--cp", "2", "--out", folder.path("2")});
  CAPTURE(two.out, two.err);
  REQUIRE(two.status == 0);
  CHECK_THAT(two.out, ContainsSubstring("2 ranks (2 per sequence)"));
  const auto one = losses(folder.path("1")), both = losses(folder.path("2"));
  REQUIRE(one.size() == 6);
  REQUIRE(both.size() == 6);
  for (std::size_t i = 0; i < 6; ++i) {
    const auto value = [](const std::string& line) {
      return std::stod(line.substr(line.rfind(':') + 1));
    };
    CHECK(value(both[i]) == Approx(value(one[i])).epsilon(1e-11));
  }
}

TEST_CASE("signals finish the step, save and exit 128 + n; SIGUSR1 saves and goes on") {
  const TemporaryDirectory folder;
  const std::string run = folder.path("run");
  // Waits for the first metrics, so that the signal meets the training loop.
  const std::string start =
      "$TRAIN --steps 100000000 --set eval_every=100000000 --set save_every=100000000 --out " +
      run + " > " + folder.path("out") +
      " & pid=$!; for i in {1..400}; do grep -qs train_accuracy " + run +
      "/metrics.jsonl && break; sleep 0.05; done; ";
  SECTION("one signal") {
    for (const auto& [name, status] :
         {std::pair<std::string, int>{"INT", 130}, {"TERM", 143}, {"HUP", 129}, {"XCPU", 152}}) {
      fs::remove_all(run);
      const ProgramResult result = shell(start + "kill -" + name + " $pid; wait $pid");
      CAPTURE(result.err, slurp(folder.path("out")));
      CHECK(result.status == status);
      CHECK_THAT(slurp(folder.path("out")), ContainsSubstring("Stopped by SIG" + name));
      CHECK(train({"--resume", run, "--steps", "1"}, false).status == 0);
    }
  }
  SECTION("signals that come again by themselves mean no haste") {
    for (const auto& [name, status] : {std::pair<std::string, int>{"HUP", 129}, {"XCPU", 152}}) {
      fs::remove_all(run);
      const ProgramResult result =
          shell(start + "while kill -" + name + " $pid 2>/dev/null; do :; done; wait $pid");
      CAPTURE(result.err, slurp(folder.path("out")));
      CHECK(result.status == status);
      CHECK_THAT(slurp(folder.path("out")), ContainsSubstring("Stopped by SIG" + name));
    }
  }
  SECTION("SIGHUP is nothing to a run that was told to ignore it") {
    const ProgramResult result =
        shell("trap '' HUP; " + start + "kill -HUP $pid; kill -TERM $pid; wait $pid");
    CAPTURE(result.err, slurp(folder.path("out")));
    CHECK(result.status == 143);
    CHECK_THAT(slurp(folder.path("out")), ContainsSubstring("Stopped by SIGTERM"));
  }
  SECTION("SIGUSR1, then a kill that nobody can catch") {
    const ProgramResult result =
        shell(start + "kill -USR1 $pid; for i in {1..400}; do ls -d " + run +
              "/step-* >/dev/null 2>&1 && break; sleep 0.05; done; kill -0 $pid && kill -KILL "
              "$pid; wait $pid");
    CHECK(result.status == 137);
    CHECK(train({"--resume", run, "--steps", "1"}, false).status == 0);
  }
}

TEST_CASE("a reader that goes away does not stop the training") {
  const TemporaryDirectory folder;
  const ProgramResult result = shell("set -o pipefail; $TRAIN --steps 30 --set log_every=1 --out " +
                                     folder.path("run") + " | head -n 1");
  CAPTURE(result.out, result.err);
  CHECK(result.status == 0);
  CHECK(fs::exists(folder.path("run/step-00000030")));
}

TEST_CASE("a NaN stops the run with exit status 1, or is skipped until that makes no sense") {
  const TemporaryDirectory folder;
  const std::string run = folder.path("run");
  // Whatever the gradient is, the first step moves each parameter by the learning rate, 10, after
  // which float16 overflows: at step 2 with each of seeds 0 to 9.
  const Arguments explode = {"--dtype", "float16", "--lr",           "10",    "--steps",
                             "300",     "--set",   "warmup_steps=0", "--set", "clip_norm=1000000",
                             "--set",   "w=1000"};
  const auto with = [&](Arguments arguments) {
    arguments.insert(arguments.end(), explode.begin(), explode.end());
    return train(arguments);
  };
  const ProgramResult stopped = with({"--out", run});
  CAPTURE(stopped.out, stopped.err);
  CHECK(stopped.status == 1);
  CHECK_THAT(
      stopped.err,
      ContainsSubstring("the parameters are unchanged (--on-nan skip leaves such steps out)"));

  const ProgramResult skipped = with({"--out", folder.path("skipping"), "--on-nan", "skip"});
  CAPTURE(skipped.err);
  CHECK(skipped.status == 1);
  CHECK_THAT(skipped.err, ContainsSubstring("train_hyena: warning: step 2: the loss is"));
  CHECK_THAT(skipped.err, ContainsSubstring("; step left out\n"));
  CHECK_THAT(skipped.err, ContainsSubstring("gave up after 20 such steps in a row"));
}

}  // namespace crocuta::test
