#include "examples/hyena/app/summary.h"

#include <algorithm>

#include "distributed/init.h"
#include "examples/hyena/app/format.h"
#include "examples/hyena/decode.h"
#include "framework/base/output.h"
#include "framework/base/program.h"
#include "framework/io/checkpoint.h"

namespace crocuta::hyena {
namespace {

// Test sequences up to the question, the model's answer, and whether it is right.
std::vector<std::string> solved(const Task& task, HyenaLM& model) {
  constexpr std::int64_t kExamples = 5;
  constexpr std::size_t kShown = 16;  // symbols of the context; the question refers to any of them
  std::vector<std::string> lines = {"Held-out questions and the model's answers:"};
  for (std::int64_t i = 0; i < std::min(kExamples, task.test_rows()); ++i) {
    const Batch batch = task.test_batch(i, 1);
    const auto scored = std::find_if(batch.targets.begin(), batch.targets.end(),
                                     [](std::int64_t target) { return target != kIgnored; });
    const auto inputs = scored - batch.targets.begin() + 1;
    std::vector<std::int64_t> prompt(batch.ids.begin(), batch.ids.begin() + inputs);
    const std::int64_t answer =
        continue_sequence(model, prompt, {.max_tokens = 1, .temperature = 0})[0];
    const std::string omitted = prompt.size() > kShown ? "... " : "";
    prompt.erase(prompt.begin(),
                 prompt.end() - static_cast<std::ptrdiff_t>(std::min(kShown, prompt.size())));
    lines.push_back(
        str("  ", omitted, task.codec().decode(prompt), " ", task.codec().decode({answer}),
            answer == *scored ? "   right" : "   wrong, it is " + task.codec().decode({*scored})));
  }
  return lines;
}

// Held-out text continued by the model.
std::vector<std::string> continued(const Task& task, HyenaLM& model, std::int64_t tokens) {
  const std::vector<std::int64_t> prompt = task.held_out(32);
  const auto continuation =
      continue_sequence(model, prompt, {.max_tokens = tokens, .temperature = 0.8});
  std::vector<std::string> lines = {"The start of the held-out region, continued by the model:"};
  std::string sample = printable(task.codec().decode(prompt)) + " | " +
                       printable(task.codec().decode(continuation), 4096);
  while (!sample.empty()) {
    const std::string line = cut_to(sample, 78);
    lines.push_back("  " + line);
    sample.erase(0, line.size());
  }
  return lines;
}

// A path as a word that an option takes, and not for another option or for JSON.
std::string path_word(const std::string& path) {
  return shell_quote((path.find_first_of("-{[") == 0 ? "./" : "") + path);
}

// This program, started on as many ranks.
std::string command_on_ranks(const Options& options) {
  std::string command = own_command();
  if (const int processes = distributed::launched_processes().value_or(1); processes > 1) {
    const std::string launcher = command_above("scripts/mpirun.sh").value_or("mpirun");
    command = str(launcher, " -n ", processes, " ", command);
  }
  if (options.cp > 1) command += str(" --cp ", options.cp);
  return command;
}

// Commands that work where this run was started.
std::vector<std::string> next_commands(const Task& task, const Options& options,
                                       const std::string& root, std::int64_t steps) {
  const bool recall = options.task == "recall";
  const std::string prompt =
      recall ? task.codec().decode({1, 1 + options.symbols / 2, options.symbols - 1, 1})
      : options.task == "dna" ? "ATGAAA"
                              : "The ";
  const std::string folder = path_word(root);
  std::vector<std::string> lines = {
      "Next:", str("  ", command_beside("generate_hyena"), " --checkpoint ", folder, " --prompt ",
                   shell_quote(prompt))};
  if (const auto plot = command_above("tools/plot_metrics.py")) {
    lines.push_back(str("  ", *plot, " ", folder));
  }
  if (steps < options.schedule_steps || options.min_learning_rate > 0) {
    const std::int64_t on = steps < options.schedule_steps ? options.schedule_steps : 2 * steps;
    lines.push_back(str("  ", resuming_command(options, root), " --steps ", on));
  } else {
    const std::string config = root + "/" + step_name(steps) + "/config.json";
    lines.push_back(
        "A longer run begins anew, as the learning rate of this one has come to its end:");
    lines.push_back(str("  ", command_on_ranks(options), " --config ", path_word(config),
                        " --steps ", 2 * steps, " --set schedule_steps=0"));
  }
  return lines;
}

}  // namespace

std::string resuming_command(const Options& options, const std::string& root) {
  return str(command_on_ranks(options), " --resume ", path_word(root));
}

std::vector<std::string> summary(const Task& task, Trainer& trainer, const Options& options,
                                 const std::string& root, const Evaluation& result,
                                 double seconds) {
  const std::int64_t steps = trainer.steps_done();
  std::vector<std::string> lines = {str("Done: ", counted(steps, "step"), ", ",
                                        counted(steps * options.batch_size, "sequence"), ", ",
                                        duration(seconds), " of training in this run.")};
  const auto append = [&](const std::vector<std::string>& more) {
    lines.insert(lines.end(), more.begin(), more.end());
  };
  append(task.conclude(result));
  append(options.task == "recall"
             ? solved(task, trainer.model())
             : continued(task, trainer.model(), options.task == "dna" ? 60 : 300));
  append({str("Files: ", printable(root), "/step-*/ (checkpoints), ", printable(root),
              "/metrics.jsonl")});
  append(next_commands(task, options, root, steps));
  return lines;
}

}  // namespace crocuta::hyena
