// Which run a call means, what it is refused for, and what is taken from where.
#include "tests/examples/programs.h"

namespace crocuta::test {
namespace {

std::string numbers(int lines) {
  std::string text;
  for (int i = 0; i < lines; ++i) text += "ab" + std::to_string(i % 13) + "\n";
  return text;
}

}  // namespace

TEST_CASE("no run goes on where its learning rate is 0") {
  const TemporaryDirectory folder;
  const std::string run = folder.path("run");
  const auto refuses = [](const Arguments& arguments, const std::string& numbers) {
    check_refusal(train(arguments, false), 2, "'steps': expected at most " + numbers);
  };
  REQUIRE(train({"--steps", "4", "--out", run}).status == 0);
  refuses(
      {"--resume", run, "--steps", "5"},
      "4, where the schedule of this run (schedule_steps) ends with a learning rate of 0, got 5");
  CHECK(!fs::exists(run + "/step-00000005"));
  refuses({"--steps", "9", "--set", "schedule_steps=8", "--out", folder.path("new")}, "8, where");
  CHECK(!fs::exists(folder.path("new")));

  // An interrupted run is taken up, and one with a floor under its rate goes on.
  REQUIRE(
      train({"--steps", "2", "--set", "schedule_steps=4", "--out", folder.path("part")}).status ==
      0);
  CHECK(train({"--resume", folder.path("part"), "--steps", "4"}, false).status == 0);
  const std::string floor = folder.path("floor");
  REQUIRE(train({"--steps", "2", "--set", "min_learning_rate=.001", "--out", floor}).status == 0);
  CHECK(train({"--resume", floor, "--steps", "3", "--set", "log_every=1"}, false).status == 0);
  CHECK_THAT(slurp(floor + "/metrics.jsonl"), ContainsSubstring("\"learning_rate\": 0.001"));
  CHECK(slurp(floor + "/step-00000003/model.safetensors") !=
        slurp(floor + "/step-00000002/model.safetensors"));
}

TEST_CASE("runs without --out get directories of their own, and --resume takes the last") {
  const TemporaryDirectory folder;
  const ProgramResult result =
      shell("cd " + folder.path() + " && $TRAIN --steps 2 && $TRAIN --steps 3 --set " +
            "schedule_steps=4 && mkdir runs/recall-3 && "
            "$TRAIN_HYENA --resume --steps 4");
  CAPTURE(result.out, result.err);
  CHECK(result.status == 0);
  CHECK(fs::exists(folder.path("runs/recall/step-00000002")));
  CHECK(fs::exists(folder.path("runs/recall-2/step-00000004")));
}

TEST_CASE("--resume alone takes the run that was written to last, whatever its task and number") {
  const TemporaryDirectory folder;
  const std::string text(500, 'x');
  std::ofstream(folder.path("x.txt")) << text << std::string(500, 'y');
  const ProgramResult result =
      shell("cd " + folder.path() + " && $TRAIN --steps 2 --set schedule_steps=4 && " +
            "$TRAIN --steps 2 --task text --data x.txt --set schedule_steps=4 && " +
            "$TRAIN_HYENA --resume --steps 3 && $TRAIN_HYENA --resume --set task=recall --steps 3");
  CAPTURE(result.out, result.err);
  CHECK(result.status == 0);
  CHECK(fs::exists(folder.path("runs/text/step-00000003")));
  CHECK(fs::exists(folder.path("runs/recall/step-00000003")));
  const ProgramResult none = shell("mkdir " + folder.path("empty") + " && cd " +
                                   folder.path("empty") + " && $TRAIN_HYENA --resume");
  CHECK(none.status == 1);
  CHECK(none.err ==
        "train_hyena: error: --resume: there is no run below runs/ to continue; name one\n");
}

TEST_CASE("a run that ended before its schedule is continued by the command that it prints") {
  const TemporaryDirectory folder;
  const ProgramResult result = train(
      {"--steps", "2", "--set", "schedule_steps=6", "--cp", "2", "--out", folder.path("run")});
  CAPTURE(result.out, result.err);
  CHECK(result.status == 0);
  CHECK_THAT(result.out,
             ContainsSubstring(" --cp 2 --resume " + folder.path("run") + " --steps 6\n"));
  CHECK_THAT(result.out, !ContainsSubstring("begins anew"));
}

TEST_CASE("a directory that looks like an option or like JSON is named as a path") {
  const TemporaryDirectory folder;
  for (const std::string name : {"-x", "{x", "[x"}) {
    const ProgramResult result =
        shell("cd " + folder.path() + " && $TRAIN --steps 2 --set schedule_steps=4 --out='" + name +
              "' | sed -n 's/ --steps 4$//; s/.* --resume //p'");
    CAPTURE(result.out, result.err);
    CHECK(result.out == (name == "-x" ? "./-x\n" : "'./" + name + "'\n"));
  }
}

TEST_CASE("runs that begin at once get a directory each") {
  const TemporaryDirectory folder;
  const ProgramResult result =
      shell("cd " + folder.path() +
            "; jobs=(); for i in 1 2 3 4; do $TRAIN --steps 2 > out$i & jobs+=($!); done; " +
            "for job in ${jobs[@]}; do wait $job || exit; done");
  CAPTURE(result.out, result.err);
  CHECK(result.status == 0);
  for (const std::string name : {"recall", "recall-2", "recall-3", "recall-4"}) {
    CAPTURE(name);
    CHECK(fs::exists(folder.path("runs/" + name + "/step-00000002")));
  }
}

TEST_CASE("data that a configuration file names is looked for here, then beside the file") {
  const TemporaryDirectory folder;
  fs::create_directories(folder.path("configs"));
  write(folder.path("configs/beside.txt"), numbers(200));
  write(folder.path("here.txt"), numbers(300));
  write(folder.path("configs/here.txt"), "too short");
  write(folder.path("configs/c.json"),
        R"({"task": "text", "data": ["beside.txt", "here.txt"], "steps": 1})");
  const ProgramResult result = shell("cd " + folder.path() + "; $TRAIN --config configs/c.json");
  CAPTURE(result.out, result.err);
  CHECK(result.status == 0);
  CHECK_THAT(slurp(folder.path("runs/text/step-00000001/config.json")),
             ContainsSubstring(R"("data": ["configs/beside.txt", "here.txt"])"));
  write(folder.path("configs/c.json"), R"({"task": "text", "data": ["none.txt"]})");
  check_refusal(shell("cd " + folder.path() + "; $TRAIN --config configs/c.json"), 1, "none.txt");
}

TEST_CASE("numbers of all options may be written in every way") {
  const TemporaryDirectory folder;
  const ProgramResult result =
      train({"--steps", "+1", "--lr", ".001", "--set", "dropout=.0", "--set", "weight_decay=1.",
             "--set", "beta1=+0.9", "--comm-timeout", "1.", "--out", folder.path("run")});
  CAPTURE(result.err);
  REQUIRE(result.status == 0);
  const std::string config = slurp(folder.path("run/step-00000001/config.json"));
  CHECK_THAT(config, ContainsSubstring("\"learning_rate\": 0.001"));
  CHECK_THAT(config, ContainsSubstring("\"weight_decay\": 1"));
  CHECK(generate({"--checkpoint", folder.path("run"), "--prompt", "a", "--temperature", ".7"})
            .status == 0);
}

TEST_CASE("the configuration may be JSON, after white space too") {
  const TemporaryDirectory folder;
  CHECK(train({"--config", "\n  {\"steps\": 1}", "--out", folder.path("run")}).status == 0);
  CHECK(fs::exists(folder.path("run/step-00000001")));
  check_refusal(train({"--config", "{\"steps\": null}"}, false), 2,
                "--config: line 1: 'steps': expected an integer from 1 to 1000000000000, got null");
}

TEST_CASE("prompts come from a file or standard input, each continued as if it were alone") {
  const TemporaryDirectory folder;
  const std::string run = folder.path("run"), file = folder.path("prompts");
  REQUIRE(train({"--steps", "3", "--out", run}).status == 0);
  const auto answers = [&](const std::string& prompts) {
    write(file, prompts);
    return generate({"--checkpoint", run, "--prompt-file", file, "--max-tokens", "3"});
  };
  const auto alone = [&](const std::string& prompt) {
    return generate({"--checkpoint", run, "--prompt", prompt, "--max-tokens", "3"}).out;
  };
  const std::string both = alone("a B => a") + alone("b");
  CHECK(answers("a B => a\nb\n").out == both);
  CHECK(answers("a B => a\r\nb").out == both);
  const std::string command =
      "$GENERATE_HYENA --max-tokens 3 --checkpoint " + run + " --prompt-file - ";
  CHECK(shell("printf 'a B => a\\nb\\n' | " + command).out == both);

  // A stop text ends the continuation before it, wherever its tokens are cut.
  const std::string prompt = "a B => a", whole = alone(prompt);
  const std::string added = whole.substr(prompt.size(), whole.size() - prompt.size() - 1);
  for (const std::string& stop : {added.substr(added.size() - 2), added.substr(1, 2)}) {
    CHECK(generate({"--checkpoint", run, "--prompt", prompt, "--max-tokens", "3", "--stop", stop})
              .out == prompt + added.substr(0, added.find(stop)) + "\n");
  }
  CHECK(generate({"--checkpoint", run, "--prompt", prompt, "--max-tokens", "3", "--stop", "none"})
            .out == whole);
  check_refusal(generate({"--checkpoint", run, "--prompt", "a", "--stop", ""}), 2, "--stop");
  check_refusal(generate({"--checkpoint", run, "--prompt", "a", "--window", "none"}), 2,
                "--window: expected restart or slide, got 'none'");

  // Nothing is continued before all are understood.
  check_refusal(answers("a\nb x\n"), 1, file + ": line 2: prompt: expected symbols out of a .. B");
  CHECK(answers("a\nb x\n").out.empty());
  check_refusal(answers("a\n\nb\n"), 1, file + ": line 2: prompt: expected at least one token");
  check_refusal(answers(""), 1, file + ": expected prompts, one per line, got nothing");
  check_refusal(answers(std::string((16 << 20) + 1, 'a')), 1, "expected at most 16777216 bytes");
  check_refusal(shell(command + "< /dev/zero"), 1,
                "standard input: expected at most 16777216 bytes, got more");
  check_refusal(shell(command + "<&-"), 1, "standard input: cannot read: Bad file descriptor");
  check_refusal(generate({"--checkpoint", run, "--prompt-file", folder.path("none")}), 1,
                "none: cannot open: No such file or directory");
}

}  // namespace crocuta::test
