#include "examples/hyena/run_plan.h"

#include <algorithm>
#include <filesystem>

#include "framework/error.h"

namespace crocuta::hyena {
namespace {

namespace fs = std::filesystem;

bool holds_run(const std::string& root) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(root, error)) {
    const std::string name = entry.path().filename().string();
    if (name == "metrics.jsonl" || name.starts_with("step-")) return true;
  }
  return false;
}

std::string numbered_root(const std::string& task, int number) {
  return number == 1 ? str("runs/", task) : str("runs/", task, "-", number);
}

// The first default directory without a run.
int first_free(const std::string& task) {
  int number = 1;
  while (holds_run(numbered_root(task, number))) ++number;
  return number;
}

RunPlan plan_new(const Config& given) {
  RunPlan plan{.options = read_options(given), .root = {}, .checkpoint = {}};
  plan.root = plan.options.out;
  if (plan.root.empty()) {
    plan.root = numbered_root(plan.options.task, first_free(plan.options.task));
  } else if (holds_run(plan.root)) {
    throw ArgumentError(str("--out ", printable(plan.root),
                            ": holds a run already; continue it with --resume ",
                            printable(plan.root), ", or choose another directory"));
  }
  return plan;
}

RunPlan plan_resumed(const Config& given, const std::string& directory) {
  if (given.has("out"))
    throw ArgumentError("--out does not go with --resume DIR: name one directory");
  RunPlan plan;
  plan.root = directory;
  if (directory.empty()) {
    const std::string task = given.get_string("task", "recall");
    plan.root = numbered_root(task, std::max(1, first_free(task) - 1));
  }
  plan.checkpoint = find_checkpoint(plan.root);
  const Config stored = stored_config(*plan.checkpoint);
  Config config = stored;
  config.merge(given);
  plan.options = read_options(config);
  const auto lines = differences(run_config(plan.options), stored);
  if (!lines.empty()) {
    std::string all;
    for (const std::string& line : lines) all += str(all.empty() ? "" : "; ", line);
    throw ArgumentError(str("the configuration differs from that of ",
                            printable(plan.checkpoint->directory), ": ", all));
  }
  return plan;
}

}  // namespace

Checkpoint find_checkpoint(const std::string& directory) {
  if (file_kind(directory) == FileKind::absent) {
    throw IoError(str(printable(directory), ": no such directory, so no run to continue"));
  }
  if (file_kind(directory + "/manifest.json") == FileKind::file) return open_checkpoint(directory);
  std::optional<Checkpoint> latest = load_latest(directory);
  if (!latest) throw IoError(str(printable(directory), ": holds no checkpoint"));
  return *latest;
}

Config stored_config(const Checkpoint& checkpoint) {
  const Config config = Config::load(checkpoint.path("config.json"));
  blame_file([&] { return read_options(config); });
  return config;
}

RunPlan plan_run(const Config& given, const std::optional<std::string>& resume) {
  return resume ? plan_resumed(given, *resume) : plan_new(given);
}

}  // namespace crocuta::hyena
