// What the programs write: to a full disk, to nobody, to a terminal, and for the clipboard.
#include "tests/examples/programs.h"
#include "tests/support/run_on_terminal.h"

namespace crocuta::test {
namespace {

const std::vector<std::string> kPrograms = {CROCUTA_TRAIN_HYENA, CROCUTA_GENERATE_HYENA,
                                            CROCUTA_RUN_LAYER, CROCUTA_VERIFY_CP};

std::string base_name(const std::string& path) {
  return path.substr(path.rfind('/') + 1);
}

// With the exit status 1 and one line: that standard output took nothing.
void check_unwritten(const std::string& program, const std::string& command) {
  const ProgramResult result = shell(command);
  CAPTURE(command, result.out, result.err);
  CHECK(result.status == 1);
  CHECK(result.err.starts_with(base_name(program) + ": error: standard output: cannot write: "));
  CHECK(std::count(result.err.begin(), result.err.end(), '\n') == 1);
}

// The lines of a terminal, those that were written over among them.
std::vector<std::string> terminal_lines(const std::string& out) {
  std::vector<std::string> lines(1);
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (out.compare(i, 3, "\x1b[K") == 0) {
      i += 2;
    } else if (out[i] == '\r' || out[i] == '\n') {
      lines.emplace_back();
    } else {
      lines.back() += out[i];
    }
  }
  return lines;
}

}  // namespace

TEST_CASE("a standard output that is full or closed is an error of every program") {
  const TemporaryDirectory folder;
  const std::string run = folder.path("run");
  REQUIRE(train({"--steps", "2", "--out", run}).status == 0);
  for (const std::string nowhere : {" > /dev/full", " >&-"}) {
    for (const std::string& program : kPrograms) {
      check_unwritten(program, "'" + program + "' --help" + nowhere);
      check_unwritten(program, "'" + program + "' --version" + nowhere);
    }
    check_unwritten(CROCUTA_GENERATE_HYENA,
                    "$GENERATE_HYENA --checkpoint " + run + " --prompt 'a B => a'" + nowhere);
    check_unwritten(CROCUTA_VERIFY_CP, "'" CROCUTA_VERIFY_CP "'" + nowhere);
    check_unwritten(CROCUTA_TRAIN_HYENA, "$TRAIN --check-causal" + nowhere);
    // Training is worth more than what it says.
    const std::string unheard = folder.path("unheard" + std::to_string(nowhere.size()));
    check_unwritten(CROCUTA_TRAIN_HYENA, "$TRAIN --steps 3 --out " + unheard + nowhere);
    CHECK(train({"--resume", unheard, "--steps", "3"}, false).status == 0);
  }
}

TEST_CASE("without standard streams, files hold what belongs into them") {
  const TemporaryDirectory folder;
  const std::string run = folder.path("run");
  const ProgramResult result = shell("$TRAIN --steps 3 --out " + run + " <&- >&- 2>&-");
  CHECK(result.status == 1);
  CHECK(train({"--resume", run, "--steps", "3"}, false).status == 0);
  CHECK(slurp(run + "/metrics.jsonl").starts_with("{\"step\": 0, "));
}

TEST_CASE("a limit on the size of files is an error like a full disk") {
  const TemporaryDirectory folder;
  const ProgramResult result =
      shell("ulimit -f 8; $TRAIN --steps 1 --out " + folder.path("run") + " > /dev/null");
  check_refusal(result, 1, "cannot write: File too large");
}

TEST_CASE("help fits 80 columns, or the terminal") {
  for (const std::string& program : kPrograms) {
    CAPTURE(program);
    std::istringstream lines(run_program({program, "--help"}).out);
    for (std::string line; std::getline(lines, line);) {
      CAPTURE(line);
      CHECK(line.size() <= 80);
    }
    // Commands and names stay whole; what explains an option does not.
    const std::string narrow = run_on_terminal({program, "--help"}, 60).out;
    for (const std::string& line : terminal_lines(narrow)) {
      CAPTURE(line);
      CHECK((line.size() <= 60 || line.find(' ', 30) == line.npos));
    }
  }
}

TEST_CASE("a run's lines fit 80 columns, or the terminal; commands and samples stay whole") {
  const TemporaryDirectory folder;
  Arguments run = {CROCUTA_TRAIN_HYENA, "--steps", "30", "--out", folder.path("run")};
  run.insert(run.end(), kTiny.begin(), kTiny.end());
  const auto fits = [](const std::string& line, std::size_t columns) {
    CAPTURE(line);
    const bool whole = line.starts_with(' ') || line.find('/') != line.npos;
    CHECK((line.size() <= columns || (whole && !line.starts_with("step "))));
  };
  const ProgramResult narrow = run_on_terminal(run, 40);
  CAPTURE(narrow.out);
  REQUIRE(narrow.status == 0);
  bool progress = false;
  for (const std::string& line : terminal_lines(narrow.out)) {
    fits(line, 40);
    // One that fills the line could not be written over.
    if (line.starts_with("step ") && line.find("/30  loss") != line.npos) {
      progress = true;
      CHECK(line.size() < 40);
    }
  }
  CHECK(progress);

  run[4] = folder.path("wide");
  std::istringstream lines(run_program(run).out);
  for (std::string line; std::getline(lines, line);) fits(line, 80);
}

TEST_CASE("tables of Markov models and samples of genomes and texts fit 80 columns") {
  const TemporaryDirectory folder;
  std::string text;
  for (int i = 0; i < 900; ++i) text += "ACGTTGCA"[(i * i + i / 7) % 8];
  write(folder.path("x.fa"), ">x\n" + text + "R\n");
  write(folder.path("x.txt"), text);
  for (const std::string task : {"dna", "text"}) {
    const ProgramResult result =
        train({"--task", task, "--data", folder.path(task == "dna" ? "x.fa" : "x.txt"), "--steps",
               "3", "--out", folder.path(task)});
    CAPTURE(result.out, result.err);
    REQUIRE(result.status == 0);
    CHECK_THAT(result.out, ContainsSubstring(" from 1 file: "));
    if (task == "dna") CHECK_THAT(result.err, ContainsSubstring(": 1 ambiguous base ("));
    std::istringstream lines(result.out);
    for (std::string line; std::getline(lines, line);) {
      CAPTURE(line);
      const auto columns = std::count_if(line.begin(), line.end(), [](char c) {
        return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
      });
      CHECK((columns <= 80 || line.find(folder.path()) != line.npos));
    }
  }
}

TEST_CASE("one is singular, and the rate of learning is shown") {
  const TemporaryDirectory folder;
  const ProgramResult result =
      train({"--steps", "1", "--out", folder.path("run"), "--set", "log_every=1", "--set",
             "n_layers=1", "--set", "warmup_steps=4", "--set", "batch_size=1", "--device", "cpu",
             "--set", "test_sequences=1"},
            false);
  CAPTURE(result.out, result.err);
  REQUIRE(result.status == 0);
  for (const char* text : {"1 block)", "for 1 step, each on 1 sequence of 72 tokens",
                           "1 step, 1 "
                           "sequence, ",
                           "of 1 sequence not trained on"}) {
    CHECK_THAT(result.out, ContainsSubstring(text));
  }
  CHECK_THAT(result.out, ContainsSubstring("  rate 0.002  "));  // no warm-up is longer than a run
  CHECK_THAT(slurp(folder.path("run/metrics.jsonl")),
             ContainsSubstring("\"learning_rate\": 0.002"));
}

TEST_CASE("a second Ctrl-C ends the program at once, on a line of its own") {
  const TemporaryDirectory folder;
  // Steps that take long enough for a second one.
  const Arguments run = {CROCUTA_TRAIN_HYENA, "--out",    folder.path("run"),
                         "--batch-size",      "64",       "--set",
                         "seq_len=254",       "--device", "cpu"};
  int typed = 0;
  const ProgramResult result = run_on_terminal(run, 100, [&](const std::string& shown) {
    const bool due = typed == 0 ? shown.find("step 1/") != shown.npos
                                : typed == 1 && shown.find("^C") != shown.npos;
    typed += due ? 1 : 0;
    return due ? "\x03" : "";
  });
  CAPTURE(result.out);
  CHECK(result.status == 130);
  CHECK(result.out.ends_with("\r\n"));
}

TEST_CASE("the commands that a run prints can be pasted") {
  const TemporaryDirectory folder;
  const std::string run = folder.path("it's \"one\" $HOME"), data = folder.path("a text.txt");
  std::string text;
  for (int i = 0; i < 200; ++i) text += "ab" + std::to_string(i % 13) + "\n";
  write(data, text);
  const fs::path here = fs::current_path();
  fs::current_path(folder.path());  // where the program is started, and where its words are pasted
  const ProgramResult result =
      train({"--task", "text", "--data", data, "--steps", "3", "--out", run});
  CAPTURE(result.out, result.err);
  REQUIRE(result.status == 0);
  int commands = 0;
  std::istringstream lines(result.out.substr(result.out.find("\nNext:\n")));
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("  ") || line.find("plot_metrics") != line.npos) continue;
    const ProgramResult pasted = run_program({"/bin/bash", "-c", line});
    CAPTURE(line, pasted.out, pasted.err);
    CHECK(pasted.status == 0);
    ++commands;
  }
  fs::current_path(here);
  CHECK(commands == 2);
  CHECK(fs::exists(folder.path("runs/text/step-00000006")));  // a longer run of its own

  // With a floor under the learning rate the same run can go on. A script may stand for the
  // program.
  const ProgramResult floor =
      run_program({"/usr/bin/env", "CROCUTA_COMMAND=../my scripts/train.sh", "/bin/bash", "-c",
                   "'" CROCUTA_TRAIN_HYENA
                   "' --device cpu --set min_learning_rate=1e-4 --set symbols=6 --steps 2 "
                   "--set seq_len=14 --set test_sequences=16 --out " +
                       folder.path("floor")});
  CAPTURE(floor.out, floor.err);
  CHECK_THAT(floor.out, ContainsSubstring("  '../my scripts/train.sh' --resume " +
                                          folder.path("floor") + " --steps 4\n"));
}

}  // namespace crocuta::test
