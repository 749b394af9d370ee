// train_hyena on several processes.
#include <fstream>
#include <sstream>

#include "tests/support/catch.h"
#include "tests/support/run_program.h"
#include "tests/support/temporary_directory.h"

namespace crocuta::test {
namespace {

// train_hyena on processes, with a tiny model.
std::vector<std::string> command(int processes) {
  std::vector<std::string> all = {CROCUTA_TRAIN_HYENA};
  if (processes > 1) all = {CROCUTA_MPIRUN, "-n", std::to_string(processes), CROCUTA_TRAIN_HYENA};
  const std::vector<std::string> tiny = {
      "--set", "symbols=6",      "--set", "seq_len=14",         "--set",        "d_model=8",
      "--set", "filter_order=8", "--set", "test_sequences=16",  "--batch-size", "4",
      "--set", "log_every=1",    "--set", "schedule_steps=2000"};
  all.insert(all.end(), tiny.begin(), tiny.end());
  return all;
}

ProgramResult train(int processes, std::vector<std::string> arguments) {
  std::vector<std::string> all = command(processes);
  all.insert(all.end(), {"--device", device_argument()});
  all.insert(all.end(), arguments.begin(), arguments.end());
  return run_program(all);
}

std::vector<double> losses(const std::string& root) {
  std::ifstream lines(root + "/metrics.jsonl");
  std::vector<double> found;
  for (std::string line; std::getline(lines, line);) {
    const std::string key = "\"loss\": ";
    const std::size_t at = line.find(key);
    if (at != std::string::npos) found.push_back(std::stod(line.substr(at + key.size())));
  }
  return found;
}

void check_equal(const std::vector<double>& a, const std::vector<double>& b, double bound) {
  REQUIRE(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i) CHECK(a[i] == Approx(b[i]).epsilon(bound));
}

}  // namespace

TEST_CASE("processes under mpirun log the losses of one process") {
  const TemporaryDirectory folder;
  const auto run = [&](const std::string& name, int processes, std::vector<std::string> arguments,
                       int steps = 8) {
    arguments.insert(arguments.end(),
                     {"--steps", std::to_string(steps), "--out", folder.path(name)});
    const ProgramResult result = train(processes, arguments);
    CAPTURE(result.out, result.err);
    REQUIRE(result.status == 0);
    return losses(folder.path(name));
  };
  const auto one = run("1", 1, {});
  REQUIRE(one.size() == 8);
  check_equal(run("4x1", 4, {}), one, 1e-5);
  check_equal(run("2x2", 4, {"--cp", "2", "--check-collectives"}), one, 1e-5);
  check_equal(run("1x4", 4, {"--cp", "4"}), one, 1e-5);
  check_equal(run("2x2, float64", 4, {"--cp", "2", "--dtype", "float64"}),
              run("1, float64", 1, {"--dtype", "float64"}), 1e-11);

  // What four processes began, one finishes.
  REQUIRE(train(1, {"--resume", folder.path("1x4"), "--steps", "12"}).status == 0);
  check_equal(losses(folder.path("1x4")), run("1 again", 1, {}, 12), 1e-5);
}

#if defined(CROCUTA_EMULATED_NCCL)
TEST_CASE("processes with emulated GPUs lose what they do on the CPU, over NCCL and over MPI") {
  const TemporaryDirectory folder;
  int runs = 0;
  // The losses, and whether there was a warning that tensors go by way of the host.
  const auto run = [&](const std::string& gpus, int processes, std::vector<std::string> arguments) {
    const std::string out = folder.path(std::to_string(++runs));
    std::vector<std::string> all = {"/usr/bin/env", "CROCUTA_EMULATED_DEVICES=" + gpus};
    const std::vector<std::string> program = command(processes);
    all.insert(all.end(), program.begin(), program.end());
    arguments.insert(arguments.end(), {"--dtype", "float64", "--set", "dropout=0.2", "--steps", "6",
                                       "--check-collectives", "--out", out});
    all.insert(all.end(), arguments.begin(), arguments.end());
    const ProgramResult result = run_program(all);
    CAPTURE(result.out, result.err);
    REQUIRE(result.status == 0);
    const bool warned = result.err.find("through the host's memory") != std::string::npos;
    return std::pair(losses(out), warned);
  };
  const auto cpu = run("1", 1, {"--device", "cpu"}).first;
  REQUIRE(cpu.size() == 6);
  for (const char* cp : {"1", "2"}) {  // two ranks with a sequence each, or with one together
    CAPTURE(cp);
    check_equal(run("1", 2, {"--device", "cpu", "--cp", cp}).first, cpu, 1e-11);
    const auto nccl = run("2", 2, {"--device", "cuda", "--cp", cp, "--backend", "nccl"});
    const auto chosen = run("2", 2, {"--device", "cuda", "--cp", cp});
    const auto mpi = run("2", 2, {"--device", "cuda", "--cp", cp, "--backend", "mpi"});
    const auto shared = run("1", 2, {"--device", "cuda", "--cp", cp});
    check_equal(nccl.first, cpu, 1e-11);
    CHECK(chosen == nccl);  // all its bits
    CHECK(mpi == nccl);
    CHECK(shared.first == nccl.first);
    CHECK_FALSE(nccl.second);
    CHECK(shared.second);
  }
  check_equal(run("4", 4, {"--device", "cuda", "--cp", "2", "--backend", "nccl"}).first, cpu,
              1e-11);
}
#endif

TEST_CASE("several processes say once what is wrong, and all exit alike") {
  const TemporaryDirectory folder;
  const auto refuses = [&](std::vector<std::string> arguments, int status,
                           const std::string& text) {
    arguments.insert(arguments.begin(), {"--steps", "3", "--out", folder.path("run")});
    const ProgramResult result = train(4, arguments);
    CAPTURE(result.out, result.err);
    CHECK(result.status == status);
    const std::size_t first = result.err.find("train_hyena: error: ");
    REQUIRE(first != std::string::npos);
    CHECK(result.err.find("train_hyena: error: ", first + 1) == std::string::npos);
    CHECK_THAT(result.err, ContainsSubstring(text));
  };
  refuses({"--cp", "8"}, 2, "'cp': expected a divisor of the number of processes, 4, got 8");
  refuses({"--cp", "2", "--set", "n_layers=0"}, 2, "'n_layers'");
  refuses({"--backend", "tcp"}, 2, "'backend'");
#if defined(CROCUTA_EMULATED_NCCL)
  refuses({"--backend", "nccl"}, 2, "a GPU of its own for each rank, which nccl needs, got ");
#endif
  refuses({"--task", "text", "--data", folder.path("none")}, 1, "No such file or directory");
  refuses({"--resume", folder.path("none")}, 2, "--out does not go with --resume");
}

TEST_CASE("programs of one process say so when mpirun starts several") {
  const TemporaryDirectory folder;
  for (const auto& [program, more] :
       {std::pair<std::string, std::vector<std::string>>{CROCUTA_GENERATE_HYENA, {"--prompt", "a"}},
        {CROCUTA_SCORE_HYENA, {"--fasta", folder.path("none")}}}) {
    std::vector<std::string> all = {CROCUTA_MPIRUN, "-n",           "2",
                                    program,        "--checkpoint", folder.path("none")};
    all.insert(all.end(), more.begin(), more.end());
    const ProgramResult result = run_program(all);
    CAPTURE(program, result.out, result.err);
    CHECK(result.status == 2);
    CHECK_THAT(result.err, ContainsSubstring("is for one process"));
    CHECK_THAT(result.err, ContainsSubstring("without mpirun"));
  }
}

TEST_CASE("ranks that were told different things say so before the first step, and exit alike") {
  const TemporaryDirectory folder;
  const std::string run = folder.path("run");
  // Two processes, the second with arguments of its own.
  const auto refuses = [&](std::vector<std::string> first, std::vector<std::string> second,
                           int status, const std::string& text) {
    // By a shell, since the mpirun of Open MPI 5.0.7 dies of two programs joined by a colon.
    std::vector<std::string> shared = command(1);
    shared.insert(shared.end(), {"--device", device_argument(), "--steps", "2", "--out", run});
    const auto with = [&](const std::vector<std::string>& more) {
      std::string words = "exec";
      for (const auto& list : {shared, more}) {
        for (const std::string& word : list) words += " '" + word + "'";
      }
      return words;
    };
    const ProgramResult result =
        run_program({CROCUTA_MPIRUN, "-n", "2", "/bin/bash", "-c",
                     "if [[ ${OMPI_COMM_WORLD_RANK-${PMI_RANK-}} == 0 ]]; then " + with(first) +
                         "; else " + with(second) + "; fi"});
    CAPTURE(result.out, result.err);
    CHECK(result.status == status);
    CHECK_THAT(result.err, ContainsSubstring("train_hyena: error: ") && ContainsSubstring(text));
    CHECK_FALSE(std::filesystem::exists(run));
  };
  const std::string differ = ": expected the same on all ranks, got ";
  refuses({"--lr", "0.001"}, {"--lr", "0.01"}, 2, "'learning_rate'" + differ + "0.001 on rank 0 (");
  refuses({"--cp", "1"}, {"--cp", "2"}, 2, "'cp'" + differ + "1 on rank 0 (");
  refuses({}, {"--check-causal"}, 2, "'--check-causal'" + differ + "not asked for on rank 0 (");
  refuses({}, {"--help"}, 2, "'--help'" + differ + "not asked for on rank 0 (");
  refuses({}, {"--check-collectives"}, 2, "'check_collectives'" + differ);
  std::ofstream(folder.path("a.json")) << "{\"weight_decay\": 0.2}";
  refuses({"--config", folder.path("a.json")}, {"--config", folder.path("b.json")}, 2, "rank 1 (");
  std::ofstream(folder.path("b.json")) << "{\"weight_decay\": 0.3}";
  refuses({"--config", folder.path("a.json")}, {"--config", folder.path("b.json")}, 2,
          "'weight_decay'" + differ + "0.2 on rank 0 (");
  const auto text = [&](const std::string& name) {
    return std::vector<std::string>{"--task", "text", "--data", folder.path(name)};
  };
  std::ofstream(folder.path("a")) << std::string(400, 'a');
  refuses(text("a"), text("b"), 1, "): data: '" + folder.path("b") + "': cannot be opened: ");
  std::ofstream(folder.path("b")) << std::string(400, 'b');
  refuses(text("a"), text("b"), 1, "'data file 1'" + differ + folder.path("a"));
}

TEST_CASE("a launcher that MPI does not know is an error, not a run by each process alone") {
  const TemporaryDirectory folder;
  std::vector<std::string> all = {"/usr/bin/env", "PMI_SIZE=4"};
  const std::vector<std::string> program = command(1);
  all.insert(all.end(), program.begin(), program.end());
  all.insert(all.end(), {"--steps", "1", "--out", folder.path("run")});
  const ProgramResult result = run_program(all);
  CAPTURE(result.out, result.err);
  CHECK(result.status == 1);
  CHECK(
      result.err.starts_with("train_hyena: error: the launcher started 4 processes, MPI counts 1"));
  CHECK(!std::filesystem::exists(folder.path("run")));
}

}  // namespace crocuta::test
