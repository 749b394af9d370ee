#include "examples/hyena/app/run_plan.h"

#include <algorithm>
#include <filesystem>

#include "framework/base/error.h"
#include "framework/base/file.h"
#include "framework/base/program.h"

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

// The largest number of a default directory, 0 if there is none.
int last_number(const std::string& task) {
  constexpr std::size_t kMaxDigits = 4;  // longer ones, dates for example, somebody has chosen
  int last = 0;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator("runs", error)) {
    std::string name = entry.path().filename().string();
    if (name == task) last = std::max(last, 1);
    if (!name.starts_with(task + "-")) continue;
    name.erase(0, task.size() + 1);
    const bool number = !name.empty() && name.size() <= kMaxDigits &&
                        name.find_first_not_of("0123456789") == name.npos;
    if (number) last = std::max(last, std::stoi(name));
  }
  return last;
}

// The run that --resume without a directory means: of those below runs/, of one task if it is named,
// the one that was written to last.
std::string last_root(const std::string& task) {
  std::string last;
  fs::file_time_type written;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator("runs", error)) {
    const std::string name = entry.path().filename().string();
    if (!task.empty() && name != task && !name.starts_with(task + "-")) continue;
    if (!holds_run(entry.path().string())) continue;
    const fs::file_time_type time = fs::last_write_time(entry.path(), error);
    if (!last.empty() && time <= written) continue;
    last = entry.path().string();
    written = time;
  }
  if (last.empty()) throw IoError("--resume: there is no run below runs/ to continue; name one");
  return last;
}

// Steps at a learning rate of 0 would change nothing and cost as much as others.
void require_learning(const Options& o) {
  if (o.steps <= o.schedule_steps || o.min_learning_rate > 0) return;
  throw ArgumentError(str("'steps': expected at most ", o.schedule_steps,
                          ", where the schedule of this run (schedule_steps) ends with a learning "
                          "rate of 0, got ",
                          o.steps,
                          "; to train for longer, begin a new run with as many --steps, or with "
                          "min_learning_rate above 0"));
}

void require_data(const Options& o) {
  if (o.task == "recall" || !o.data.empty()) return;
  throw ArgumentError(str("'data': task '", o.task, "' needs files: --data FILE ..."));
}

RunPlan plan_new(const Config& given, const std::optional<std::string>& init_from) {
  RunPlan plan;
  if (init_from) {
    plan.initial = find_checkpoint(*init_from);
    Config config = model_config(read_options(stored_config(*plan.initial)));
    config.merge(given);
    plan.options = read_options(config);
  } else {
    plan.options = read_options(given);
  }
  plan.root = plan.options.out;
  if (!plan.root.empty()) require_no_run(plan.root);
  return plan;
}

RunPlan plan_resumed(const Config& given, const std::string& directory) {
  if (given.has("out"))
    throw ArgumentError("--out does not go with --resume DIR: name one directory");
  RunPlan plan;
  plan.root = directory;
  if (directory.empty()) plan.root = last_root(given.get_string("task", ""));
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

void require_no_run(const std::string& out) {
  if (!holds_run(out)) return;
  throw ArgumentError(str("--out ", printable(out),
                          ": holds a run already; continue it with --resume ", shell_quote(out),
                          ", or choose another directory"));
}

namespace {

// A model that another program has written: without a manifest, so nothing is verified.
Checkpoint plain_model(const std::string& directory) {
  return {.directory = directory,
          .configuration = Config::load(directory + "/config.json").fingerprint(),
          .files = {{"model.safetensors", {}}, {"config.json", {}}}};
}

}  // namespace

Checkpoint find_checkpoint(const std::string& directory) {
  if (file_kind(directory) == FileKind::absent) {
    throw IoError(str(printable(directory), ": no such directory, so no run to continue"));
  }
  if (file_kind(directory + "/manifest.json") == FileKind::file) return open_checkpoint(directory);
  if (file_kind(directory + "/model.safetensors") == FileKind::file &&
      file_kind(directory + "/config.json") == FileKind::file) {
    return plain_model(directory);
  }
  std::optional<Checkpoint> latest = load_latest(directory);
  if (!latest) throw IoError(str(printable(directory), ": holds no checkpoint"));
  return *latest;
}

Config stored_config(const Checkpoint& checkpoint) {
  const Config config = Config::load(checkpoint.path("config.json"));
  blame_file([&] { return read_options(config); });
  return config;
}

RunPlan plan_run(const Config& given, const Origin& origin) {
  if (origin.resume && origin.init_from) {
    throw ArgumentError(
        "--init-from begins a new run, which --resume does not: expected one of them");
  }
  RunPlan plan =
      origin.resume ? plan_resumed(given, *origin.resume) : plan_new(given, origin.init_from);
  require_data(plan.options);
  require_learning(plan.options);
  return plan;
}

std::string make_root(const std::string& task) {
  make_directories("runs");
  for (int number = last_number(task) + 1;; ++number) {
    const std::string root = numbered_root(task, number);
    if (try_make_directory(root)) return root;
  }
}

}  // namespace crocuta::hyena
