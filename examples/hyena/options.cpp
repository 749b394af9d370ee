#include "examples/hyena/options.h"

#include <algorithm>

#include "framework/base/error.h"
#include "framework/base/json.h"
#include "framework/base/option.h"
#include "framework/base/utf8.h"

namespace crocuta::hyena {
namespace {

constexpr std::int64_t kMany = 1'000'000'000'000;
constexpr IntRange kCount{.min = 0, .max = kMany}, kPositive{.min = 1, .max = kMany};
constexpr RealRange kFraction{.above = 0, .below = 1}, kRate{.max = 10, .above = 0};
constexpr RealRange kBeta{.min = 0, .below = 1};

// Calls visit(key, member, what it may be, what it is for) for every option: the one list of them.
// First those that a checkpoint carries.
template <class Opt, class Visit>
void for_each_kept(Opt& o, Visit&& visit) {
  visit("task", o.task, Choices{{"recall", "dna", "text"}}, "What is learned: recall, dna or text");
  visit("data", o.data, Anything(), "Files to learn from, for dna and text");
  visit("heldout", o.heldout, kFraction, "Fraction of them that is held out, at the end");
  visit("symbols", o.symbols, IntRange{.min = 6, .max = 1 << 20},
        "Symbols of recall, two of them special");
  visit("seq_len", o.seq_len, IntRange{.min = 1, .max = 1 << 28},
        "Tokens of context; of recall, those before the question");
  visit("train_sequences", o.train_sequences, IntRange{.min = 0, .max = 1 << 30},
        "Sequences of recall to train on; 0 for fresh ones for ever");
  visit("test_sequences", o.test_sequences, IntRange{.min = 1, .max = 1 << 20},
        "Sequences of recall to evaluate on");
  for_each_operator_option(o.model, visit);
  for_each_block_option(o.model, visit);
  visit("l_max", o.model.l_max, IntRange{.min = 0, .max = 1 << 28},
        "Positions that the filter is made for; 0 for those of a sequence");
  visit("tied_head", o.tied_head, Anything(), "Whether the logits come from the embedding");
  visit("codec", o.codec, Choices{{"task", "hyenadna"}},
        "Numbers of tokens: the task's own, or HyenaDNA's");
  visit("dtype", o.model.dtype, Anything(), "float32, float64, bfloat16 or float16");
  visit("schedule_steps", o.schedule_steps, kCount,
        "Where the learning rate's cosine ends; 0 for the end of the run");
  visit("batch_size", o.batch_size, IntRange{.min = 1, .max = 1 << 24},
        "Sequences per step, over all ranks");
  visit("learning_rate", o.learning_rate, kRate, "Highest learning rate");
  visit("min_learning_rate", o.min_learning_rate, RealRange{.min = 0, .max = 10},
        "Learning rate at the cosine's end");
  visit("warmup_steps", o.warmup_steps, kCount, "Steps in which the learning rate rises");
  visit("beta1", o.beta1, kBeta, "Decay of AdamW's mean of gradients");
  visit("beta2", o.beta2, kBeta, "Decay of AdamW's mean of their squares");
  visit("weight_decay", o.weight_decay, RealRange{.min = 0, .max = 100},
        "Decay of the blocks' linear maps, times the learning rate");
  visit("clip_norm", o.clip_norm, RealRange{.max = 1e9, .above = 0},
        "Gradients whose norm is above it are scaled down to it");
  visit("freeze", o.freeze, Anything(),
        "Parameters that stay as they are: names, in which * stands for anything");
  visit("seed", o.seed, IntRange{.min = 0, .max = std::int64_t{1} << 62}, "Of parameters and data");
  visit("steps", o.steps, kPositive, "Train up to this step");
}

// Those that are of this call alone.
template <class Opt, class Visit>
void for_each_passing(Opt& o, Visit&& visit) {
  visit("eval_every", o.eval_every, kPositive, "Steps between evaluations");
  visit("save_every", o.save_every, kPositive, "Steps between checkpoints");
  visit("log_every", o.log_every, kPositive, "Steps between lines of progress");
  visit("eval_windows", o.eval_windows, kPositive,
        "Windows of the held-out part in an evaluation; all of them at the end");
  visit("on_nan", o.on_nan, Choices{{"stop", "skip"}},
        "What to do about NaN or infinity: stop, or skip the step");
  visit("device", o.device, Anything(), "cpu, cuda, cuda:N, or auto: a GPU if there is one");
  visit("out", o.out, Anything(), "Directory of the run; runs/TASK, or the next free number");
  visit("cp", o.cp, IntRange{.min = 1, .max = 1 << 20}, "Ranks that share a sequence");
  visit("threads", o.threads, IntRange{.min = 0, .max = 1024},
        "Threads on the CPU; 0 for all cores");
  visit("backend", o.backend, Choices{{"auto", "mpi", "nccl"}},
        "Between processes: auto, mpi or nccl");
  visit("comm_timeout", o.comm_timeout, RealRange{.min = 0.001, .max = 1e6},
        "Seconds that a rank waits for the others");
  visit("check_collectives", o.check_collectives, Anything(),
        "Compare the ranks' calls before each collective");
}

template <class Opt, class Visit>
void for_each_option(Opt& o, Visit&& visit) {
  for_each_kept(o, visit);
  for_each_passing(o, visit);
}

void check_consistent(const Options& o, const Config& config) {
  if (o.model.emb_dim % 2 == 0) config.reject("emb_dim", "an odd number");
  if (o.task == "recall") {
    if (!o.data.empty()) config.reject("data", "nothing, since task 'recall' generates its data");
    if (o.symbols % 2 != 0) config.reject("symbols", "an even number");
    if (o.seq_len % 2 != 0) config.reject("seq_len", "an even number for task 'recall'");
  }
  if (o.codec == "hyenadna" && o.task != "dna") config.reject("codec", "task, unless task is dna");
  if (o.model.l_max != 0 && o.model.l_max < model_length(o)) {
    config.reject("l_max", str("0, or at least the sequence length, ", model_length(o)));
  }
  if (o.min_learning_rate > o.learning_rate) {
    config.reject("min_learning_rate", str("at most the learning_rate, ", o.learning_rate));
  }
  if (o.model.d_model % o.cp != 0) {
    throw ArgumentError(
        str("'cp': expected a divisor of d_model = ", o.model.d_model, ", got ", o.cp));
  }
  if (model_length(o) % o.cp != 0) {
    throw ArgumentError(
        str("'cp': expected a divisor of the sequence length, ", model_length(o), ", got ", o.cp));
  }
}

}  // namespace

std::string options_help() {
  const Options defaults;
  std::string text;
  for_each_option(defaults, [&](const char* key, const auto& value, const auto&, const char* help) {
    text += option_help(key, option_json(value), help);
  });
  return text;
}

Options read_options(const Config& config) {
  Options options;
  for_each_option(options, [&](const char* key, auto& value, const auto& range, const char*) {
    read_option(config, key, value, range);
  });
  config.finish();
  check_consistent(options, config);
  if (options.schedule_steps == 0) options.schedule_steps = options.steps;
  return options;
}

std::string quoted(const std::string& key, const std::string& text) {
  if (!is_utf8(text)) {
    throw ArgumentError(str("'", key, "': expected text in UTF-8, got '", printable(text),
                            "'; rename the file, or use a link with another name"));
  }
  return json::quote(text);
}

Config run_config(const Options& options) {
  std::string members;
  for_each_kept(options, [&](const char* key, const auto& value, const auto&, const char*) {
    members += str(members.empty() ? "" : ",\n", json::quote(key), ": ", option_json(value));
  });
  return Config::parse("{" + members + "}");
}

Config model_config(const Options& options) {
  Config config;
  const auto set = [&](const char* key, const auto& value, const auto&, const char*) {
    config.set(key, option_json(value));
  };
  for_each_operator_option(options.model, set);
  for_each_block_option(options.model, set);
  config.set("l_max",
             option_json(options.model.l_max > 0 ? options.model.l_max : model_length(options)));
  config.set("tied_head", option_json(options.tied_head));
  config.set("codec", option_json(options.codec));
  config.set("task", option_json(options.task));
  config.set("symbols", option_json(options.symbols));
  config.set("seq_len", option_json(options.seq_len));
  return config;
}

std::vector<std::pair<std::string, std::string>> shared_options(const Options& options) {
  std::vector<std::pair<std::string, std::string>> all;
  for_each_option(options,
                  [&](const std::string& key, const auto& value, const auto&, const char*) {
                    if (key == "data" || key == "out" || key == "threads") return;
                    all.emplace_back(key, option_json(value));
                  });
  return all;
}

std::vector<std::string> differences(const Config& here, const Config& in_checkpoint) {
  std::vector<std::string> lines;
  for (const Config::Difference& d : here.differences(in_checkpoint)) {
    // How far to train may change. Data may have moved: its contents are compared, not its name.
    if (d.key == "steps" || d.key.starts_with("data")) continue;
    lines.push_back(str(d.key, ": ", d.ours.empty() ? "nothing" : d.ours, " here, ",
                        d.theirs.empty() ? "nothing" : d.theirs, " in the checkpoint"));
  }
  return lines;
}

std::int64_t model_length(const Options& options) {
  if (options.task != "recall") return options.seq_len;
  return (options.seq_len + 2 + 7) / 8 * 8;
}

}  // namespace crocuta::hyena
