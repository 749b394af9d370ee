#include "examples/hyena/options.h"

#include <algorithm>
#include <type_traits>

#include "framework/base/error.h"
#include "framework/base/json.h"
#include "framework/base/utf8.h"

namespace crocuta::hyena {
namespace {

constexpr std::int64_t kMany = 1'000'000'000'000;
constexpr IntRange kSize{.min = 1, .max = 1 << 30}, kCount{.min = 0, .max = kMany};
constexpr IntRange kPositive{.min = 1, .max = kMany};
constexpr RealRange kFraction{.above = 0, .below = 1}, kRate{.max = 10, .above = 0};
constexpr RealRange kBeta{.min = 0, .below = 1};
struct Choices {
  std::vector<std::string> texts;
};
struct Any {};

// Calls visit(key, member, what it may be) for every option: the one list of them. First those that
// a checkpoint carries.
template <class Opt, class Visit>
void for_each_kept(Opt& o, Visit&& visit) {
  visit("task", o.task, Choices{{"recall", "dna", "text"}});
  visit("data", o.data, Any{});
  visit("heldout", o.heldout, kFraction);
  visit("symbols", o.symbols, IntRange{.min = 6, .max = 1 << 20});
  visit("seq_len", o.seq_len, IntRange{.min = 1, .max = 1 << 28});
  visit("train_sequences", o.train_sequences, IntRange{.min = 0, .max = 1 << 30});
  visit("test_sequences", o.test_sequences, IntRange{.min = 1, .max = 1 << 20});
  visit("d_model", o.d_model, kSize);
  visit("n_layers", o.n_layers, IntRange{.min = 1, .max = 10'000});
  visit("filter_order", o.filter_order, kSize);
  visit("emb_dim", o.emb_dim, IntRange{.min = 3, .max = 1 << 20});
  visit("d_inner", o.d_inner, IntRange{.min = 0, .max = 1 << 30});
  visit("w", o.w, RealRange{.min = -1e6, .max = 1e6});
  visit("dropout", o.dropout, RealRange{.min = 0, .below = 1});
  visit("dtype", o.dtype, Any{});
  visit("schedule_steps", o.schedule_steps, kCount);
  visit("batch_size", o.batch_size, IntRange{.min = 1, .max = 1 << 24});
  visit("learning_rate", o.learning_rate, kRate);
  visit("min_learning_rate", o.min_learning_rate, RealRange{.min = 0, .max = 10});
  visit("warmup_steps", o.warmup_steps, kCount);
  visit("beta1", o.beta1, kBeta);
  visit("beta2", o.beta2, kBeta);
  visit("weight_decay", o.weight_decay, RealRange{.min = 0, .max = 100});
  visit("clip_norm", o.clip_norm, RealRange{.max = 1e9, .above = 0});
  visit("seed", o.seed, IntRange{.min = 0, .max = std::int64_t{1} << 62});
  visit("steps", o.steps, kPositive);
}

// Those that are of this call alone.
template <class Opt, class Visit>
void for_each_passing(Opt& o, Visit&& visit) {
  visit("eval_every", o.eval_every, kPositive);
  visit("save_every", o.save_every, kPositive);
  visit("log_every", o.log_every, kPositive);
  visit("eval_windows", o.eval_windows, kPositive);
  visit("on_nan", o.on_nan, Choices{{"stop", "skip"}});
  visit("device", o.device, Any{});
  visit("out", o.out, Any{});
  visit("cp", o.cp, IntRange{.min = 1, .max = 1 << 20});
  visit("threads", o.threads, IntRange{.min = 0, .max = 1024});
  visit("backend", o.backend, Choices{{"auto", "mpi", "nccl"}});
  visit("comm_timeout", o.comm_timeout, RealRange{.min = 0.001, .max = 1e6});
  visit("check_collectives", o.check_collectives, Any{});
}

struct Reader {
  const Config& config;

  void operator()(const char* key, std::int64_t& value, IntRange range) const {
    value = config.get_int(key, value, range);
  }
  void operator()(const char* key, double& value, RealRange range) const {
    value = config.get_real(key, value, range);
  }
  void operator()(const char* key, std::string& value, const Choices& choices) const {
    value = config.get_choice(key, value, choices.texts);
  }
  void operator()(const char* key, std::string& value, Any) const {
    value = config.get_string(key, value);
  }
  void operator()(const char* key, bool& value, Any) const { value = config.get_bool(key, value); }
  void operator()(const char* key, std::vector<std::string>& value, Any) const {
    value = config.get_strings(key, value);
  }
  void operator()(const char* key, DType& value, Any) const {
    value = parse_dtype(
        config.get_choice(key, name(value), {"float32", "float64", "bfloat16", "float16"}));
  }
};

std::string to_json(const std::string& value) {
  return json::quote(value);
}
std::string to_json(std::int64_t value) {
  return std::to_string(value);
}
std::string to_json(bool value) {
  return value ? "true" : "false";
}
std::string to_json(double value) {
  return json::number(value);
}
std::string to_json(DType value) {
  return json::quote(name(value));
}
std::string to_json(const std::vector<std::string>& values) {
  std::string text;
  for (const std::string& value : values) text += str(text.empty() ? "" : ", ", json::quote(value));
  return "[" + text + "]";
}

void check_consistent(const Options& o, const Config& config) {
  if (o.emb_dim % 2 == 0) config.reject("emb_dim", "an odd number");
  if (o.task == "recall") {
    if (!o.data.empty()) config.reject("data", "nothing, since task 'recall' generates its data");
    if (o.symbols % 2 != 0) config.reject("symbols", "an even number");
    if (o.seq_len % 2 != 0) config.reject("seq_len", "an even number for task 'recall'");
  } else if (o.data.empty()) {
    throw ArgumentError(str("'data': task '", o.task, "' needs files: --data FILE ..."));
  }
  if (o.min_learning_rate > o.learning_rate) {
    config.reject("min_learning_rate", str("at most the learning_rate, ", o.learning_rate));
  }
  if (o.d_model % o.cp != 0) {
    throw ArgumentError(str("'cp': expected a divisor of d_model = ", o.d_model, ", got ", o.cp));
  }
  if (model_length(o) % o.cp != 0) {
    throw ArgumentError(
        str("'cp': expected a divisor of the sequence length, ", model_length(o), ", got ", o.cp));
  }
}

}  // namespace

Options read_options(const Config& config) {
  Options options;
  const Reader read{config};
  for_each_kept(options, read);
  for_each_passing(options, read);
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
  for_each_kept(options, [&](const char* key, const auto& value, const auto&) {
    members += str(members.empty() ? "" : ",\n", json::quote(key), ": ", to_json(value));
  });
  return Config::parse("{" + members + "}");
}

std::vector<std::pair<std::string, std::string>> shared_options(const Options& options) {
  std::vector<std::pair<std::string, std::string>> all;
  const auto add = [&](const std::string& key, const auto& value, const auto&) {
    if (key != "data" && key != "out" && key != "threads") all.emplace_back(key, to_json(value));
  };
  for_each_kept(options, add);
  for_each_passing(options, add);
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
