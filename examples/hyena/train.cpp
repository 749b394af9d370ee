// train_hyena: trains the Hyena language model.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <optional>

#include "distributed/agreement.h"
#include "distributed/backends/threads.h"
#include "distributed/init.h"
#include "examples/hyena/app/agreement.h"
#include "examples/hyena/app/check_causal.h"
#include "examples/hyena/app/run_plan.h"
#include "examples/hyena/app/session.h"
#include "examples/hyena/app/signals.h"
#include "examples/hyena/app/together.h"
#include "framework/base/cli.h"
#include "framework/base/log.h"
#include "framework/base/output.h"
#include "framework/base/program.h"
#include "framework/device/threads.h"

namespace crocuta::hyena {
namespace {

namespace fs = std::filesystem;

constexpr const char* kDescription =
    "Trains a Hyena language model: a stack of long convolutions (Poli et al. 2023).\n\n"
    "Without options it learns associative recall in two or three minutes on two\n"
    "cores: after a list of key-value pairs it is asked for the value of one of the\n"
    "keys.";

constexpr const char* kExamples =
    "Examples:\n"
    "  train_hyena                       associative recall, 10 symbols\n"
    "  train_hyena --resume              continue where it stopped\n"
    "  train_hyena --cp 4                each sequence split over 4 ranks, threads here\n"
    "  mpirun -n 4 train_hyena --cp 2    4 processes: 2 share a sequence, 2 groups\n"
    "  train_hyena --task dna --data genome.fa    the next base of a genome\n"
    "  train_hyena --task text --data *.txt       the next byte of any text\n"
    "  train_hyena --config examples/hyena/configs/text.json --set d_model=256 \\\n"
    "              --data book.txt\n\n";

constexpr const char* kSignals =
    "SIGINT, SIGTERM, SIGHUP and SIGXCPU finish the step and save, SIGUSR1 saves and\n"
    "goes on. Exit status: 0, 1 if something failed, 2 for options that make no\n"
    "sense, 128 + n after signal n.";

// A flag that stands for a configuration key.
struct Shortcut {
  const char *flag, *key, *type, *help;
  bool is_text;
  std::string value = {};
};

struct Invocation {
  Config config;
  Origin origin;
  bool check_causal = false;

  // What to do, on each rank: train, or look for a model that looks ahead.
  int run(const ProcessGroup& world, const RunPlan& plan) const {
    return check_causal ? run_causality_check(world, plan) : run_session(world, plan);
  }
};

// Data that the configuration file names are looked for from here and, if they are not there, from
// beside the file.
void find_data(Config& config, const std::string& file) {
  if (!config.has("data")) return;
  const fs::path folder = fs::path(file).parent_path();
  std::string list;
  bool found = false;
  for (std::string path : config.get_strings("data", {})) {
    std::error_code ignored;  // a path that cannot be looked at is not here
    if (!fs::exists(path, ignored) && fs::exists(folder / path, ignored)) {
      path = folder / path;
      found = true;
    }
    list += str(list.empty() ? "" : ", ", quoted("data", path));
  }
  if (found) config.set("data", "[" + list + "]", printable(file));
}

// Nothing if the call was answered by --help or --version.
std::optional<Invocation> read_command_line(int argc, char** argv) {
  std::vector<Shortcut> shortcuts = {
      {"--task", "task", "TASK", "recall, dna or text", true},
      {"--steps", "steps", "N", "Train up to step N", false},
      {"--batch-size", "batch_size", "N", "Sequences per step", false},
      {"--lr", "learning_rate", "X", "Peak learning rate", false},
      {"--seed", "seed", "N", "Seed of parameters and data", false},
      {"--device", "device", "DEVICE", "cpu, cuda, cuda:N or auto", true},
      {"--dtype", "dtype", "DTYPE", "float32, float64, bfloat16 or float16", true},
      {"--cp", "cp", "P", "Ranks that share a sequence", false},
      {"--threads", "threads", "N", "CPU threads, over all ranks of this process", false},
      {"--out", "out", "DIR", "Directory for checkpoints and metrics", true},
      {"--on-nan", "on_nan", "WHAT", "stop, or skip the step", true},
      {"--backend", "backend", "BACKEND", "Between processes: mpi, nccl, or auto", true},
      {"--comm-timeout", "comm_timeout", "SECONDS", "How long ranks wait for each other", false},
  };
  std::string config_file, resume, init_from;
  std::vector<std::string> sets, data;
  bool check_collectives = false;
  CommandLine cli("train_hyena", kDescription,
                  str(kExamples, "Keys for --set and configuration files, with their defaults:\n",
                      options_help(), "\n", kSignals));
  cli.option("--config", config_file, "FILE|JSON", "Configuration: a file, or JSON itself");
  cli.option("--set", sets, "KEY=VALUE", "Override one key; may be repeated");
  cli.list("--data", data, "FILE", "FASTA files or texts");
  for (Shortcut& s : shortcuts) cli.option(s.flag, s.value, s.type, s.help);
  cli.optional_value("--resume", resume, "[DIR]",
                     "Continue the run in DIR, or the last one below runs/");
  cli.option("--init-from", init_from, "DIR",
             "Begin with the parameters of a checkpoint, or of an imported model");
  cli.flag("--check-collectives", check_collectives,
           "Compare all ranks' calls before each collective");
  Invocation call;
  cli.flag("--check-causal", call.check_causal,
           "Do not train: show that later tokens change no earlier output or gradient");
  if (!cli.parse(argc, argv)) return {};

  if (cli.given("--config")) {
    call.config = config_argument(config_file);
    find_data(call.config, config_file);
  }
  for (const std::string& assignment : sets) call.config.set(assignment);
  if (!data.empty()) {
    std::string list;
    for (const std::string& file : data)
      list += str(list.empty() ? "" : ", ", quoted("data", file));
    call.config.set("data", "[" + list + "]", "--data");
  }
  for (const Shortcut& s : shortcuts) {
    if (cli.given(s.flag))
      call.config.set(s.key, s.is_text ? quoted(s.key, s.value) : s.value, s.flag);
  }
  if (check_collectives) call.config.set("check_collectives", "true");
  if (cli.given("--resume")) call.origin.resume = resume;
  if (cli.given("--init-from")) call.origin.init_from = init_from;
  return call;
}

// The same, where whatever is wrong, with the configuration file too, is a matter of usage.
std::optional<Invocation> read_call(int argc, char** argv) {
  try {
    return read_command_line(argc, argv);
  } catch (const OutputError&) {
    throw;
  } catch (const Error& error) {
    throw ArgumentError(error.what());
  }
}

CommOptions comm_options(const Options& options) {
  CommOptions comm;
  comm.timeout = std::chrono::milliseconds(static_cast<std::int64_t>(options.comm_timeout * 1000));
  if (options.check_collectives) comm.check_collectives = true;
  return comm;
}

int train_in_processes(int argc, char** argv, const ProcessGroup& processes) {
  if (processes.rank() != 0) set_log_level(LogLevel::error);  // rank 0 says it for all
  processes.set_check_collectives(false);  // which ranks may have been told otherwise, too
  std::optional<Invocation> call;
  RunPlan plan;
  Device device = Device::cpu();
  together(processes, [&] {
    call = read_call(argc, argv);
    if (!call) return;
    plan = plan_run(call->config, call->origin);
    if (processes.size() % plan.options.cp != 0) {
      throw ArgumentError(str("'cp': expected a divisor of the number of processes, ",
                              processes.size(), ", got ", plan.options.cp));
    }
    device = parse_device(plan.options.device, "configuration");
  });
  // Whether to train at all comes first.
  const std::string other =
      disagreement({{"--help", call ? "not asked for" : "asked for"},
                    {"--check-causal", call && call->check_causal ? "asked for" : "not asked for"}},
                   processes);
  if (!other.empty()) throw ArgumentError(other);
  if (!call) return 0;
  require_same_plan(processes, plan);
  const CommOptions comm = comm_options(plan.options);
  processes.set_timeout(comm.timeout);
  processes.set_check_collectives(comm.check_collectives);
  const ProcessGroup world = plan.options.backend == "mpi"
                                 ? processes
                                 : distributed::on_device(processes, device, plan.options.backend);
  if (plan.options.threads > 0) {
    set_num_threads(static_cast<int>(plan.options.threads));
  }
  return call->run(world, plan);
}

int train_in_threads(int argc, char** argv) {
  const std::optional<Invocation> call = read_call(argc, argv);
  if (!call) return 0;
  const RunPlan plan = plan_run(call->config, call->origin);
  if (plan.options.backend != "auto") {
    throw ArgumentError(str("'backend': '", plan.options.backend,
                            "' is for several processes: start them with mpirun -n <ranks>"));
  }
  const int ranks = static_cast<int>(plan.options.cp);
  if (plan.options.threads > 0) {
    set_num_threads(static_cast<int>(plan.options.threads));
  }
  if (ranks == 1) return call->run(ProcessGroup(), plan);
  RankThreadOptions options;
  static_cast<CommOptions&>(options) = comm_options(plan.options);
  options.on_stuck = [](const std::string& failure) {
    log_error(failure);
    std::fflush(nullptr);
    std::_Exit(kExitRuntime);  // a rank that hangs cannot be joined
  };
  int status = 0;
  run_ranks(
      ranks,
      [&](const ProcessGroup& world) {
        const int mine = call->run(world, plan);
        if (world.rank() == 0) status = mine;
      },
      options);
  return status;
}

// Prints one line. Errors that all ranks share are rank 0's to print.
int report(const std::exception& error, int rank) {
  const bool shared = dynamic_cast<const SharedFailure*>(&error) != nullptr ||
                      dynamic_cast<const ArgumentError*>(&error) != nullptr;
  if (rank == 0) {
    log_error(message_of(error));
  } else if (!shared) {
    log_error(str("rank ", rank, ": ", message_of(error)));
  }
  return exit_status(error);
}

int train(int argc, char** argv) {
  int rank = 0;
  try {
    catch_signals();
    if (distributed::launched_processes().value_or(1) == 1) return train_in_threads(argc, argv);
    const ProcessGroup processes = distributed::init("mpi");
    rank = processes.rank();
    return train_in_processes(argc, argv, processes);
  } catch (const std::exception& error) {
    return report(error, rank);
  }
}

}  // namespace
}  // namespace crocuta::hyena

int main(int argc, char** argv) {
  crocuta::begin_program("train_hyena", argv[0]);
  return crocuta::distributed::shutdown(crocuta::hyena::train(argc, argv));
}
