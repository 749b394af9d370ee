// generate_hyena: continues prompts with a trained model.
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <optional>

#include "distributed/init.h"
#include "examples/hyena/app/format.h"
#include "examples/hyena/app/prompts.h"
#include "examples/hyena/app/run_plan.h"
#include "examples/hyena/app/together.h"
#include "examples/hyena/decode.h"
#include "examples/hyena/trainer.h"
#include "framework/base/cli.h"
#include "framework/base/log.h"
#include "framework/base/output.h"
#include "framework/base/program.h"
#include "framework/io/safetensors.h"

namespace crocuta::hyena {
namespace {

constexpr const char* kDescription =
    "Continues a prompt with a model that train_hyena has trained.\n\n"
    "The model sees the prompt and all that was generated. When that is as long as\n"
    "what it was trained on, it begins anew with the last half of it.";

constexpr const char* kFooter =
    "Examples:\n"
    "  generate_hyena --checkpoint runs/recall --prompt \"a B c D a B => c\"\n"
    "  generate_hyena --checkpoint runs/text --prompt \"The \" --temperature 0.8 \\\n"
    "                 --max-tokens 500\n"
    "  generate_hyena --checkpoint runs/dna --prompt ATGAAA --top-k 2\n"
    "  generate_hyena --checkpoint runs/text --prompt \"The \" --stop \".\" --top-p 0.9\n"
    "  echo \"a B c D => a\" | generate_hyena --checkpoint runs/recall --prompt-file -\n\n"
    "Exit status: 0, 1 if something failed, 2 for options that make no sense.";

struct Call {
  std::string checkpoint, device = "auto";
  std::string prompt, prompt_file;  // one of the two
  std::string stop, window = "restart";
  DecodeOptions decode;
  bool given_length = false;
};

std::optional<Call> read_command_line(int argc, char** argv) {
  Call call;
  std::int64_t seed = 0;
  CommandLine cli("generate_hyena", kDescription, kFooter);
  cli.option("--checkpoint", call.checkpoint, "DIR", "A run's directory, or one of its checkpoints",
             CommandLine::Need::required);
  cli.option("--prompt", call.prompt, "TEXT", "What to continue");
  cli.option("--prompt-file", call.prompt_file, "FILE",
             "Prompts, one per line, each continued as if it were alone; -: standard input");
  cli.option("--max-tokens", call.decode.max_tokens, "N", "Tokens to add (200; recall: 1)", 1,
             1 << 30);
  cli.option("--temperature", call.decode.temperature, "X",
             "1: as the model predicts; less: likelier tokens; 0: always the likeliest",
             {.min = 0, .max = 1000});
  cli.option("--top-k", call.decode.top_k, "N", "Choose among the N likeliest; 0: among all", 0,
             1 << 30);
  cli.option("--top-p", call.decode.top_p, "X",
             "Choose among the likeliest whose probabilities reach X; 1: among all",
             {.max = 1, .above = 0});
  cli.option("--stop", call.stop, "TEXT", "End before this text");
  cli.option("--window", call.window, "WHAT",
             "At the model's length: restart with the last half, or slide, which is slow");
  cli.option("--seed", seed, "N", "Seed of the choice", 0, std::int64_t{1} << 62);
  cli.option("--device", call.device, "DEVICE", "cpu, cuda, cuda:N or auto");
  if (!cli.parse(argc, argv)) return {};
  if (cli.given("--prompt") == cli.given("--prompt-file")) {
    throw ArgumentError("expected either --prompt or --prompt-file; see --help");
  }
  if (cli.given("--stop") && call.stop.empty()) {
    throw ArgumentError("--stop: expected a text, got nothing");
  }
  if (call.window != "restart" && call.window != "slide") {
    throw ArgumentError(
        str("--window: expected restart or slide, got '", printable(call.window), "'"));
  }
  call.decode.window = call.window == "slide" ? Window::slide : Window::restart;
  call.decode.seed = static_cast<std::uint64_t>(seed);
  call.given_length = cli.given("--max-tokens");
  return call;
}

// A model may have learned bytes that would steer a terminal; a file or pipe gets them as they are.
std::string for_output(const std::string& text) {
  static const bool terminal = ::isatty(STDOUT_FILENO) == 1;
  if (!terminal) return text;
  std::string shown;
  for (const char c : text) {
    const bool steers = (c & 0x80) == 0 && c != '\n' && c != '\t';
    shown += steers ? printable(std::string(1, c)) : std::string(1, c);
  }
  return shown;
}

// Prints text as it comes, up to a stop text.
class Output {
 public:
  explicit Output(const std::string& stop) : stop_(stop) {}

  // False once the stop text has come.
  bool add(const std::string& text) {
    waiting_ += text;
    std::size_t ready = stop_.empty() ? waiting_.size() : waiting_.find(stop_);
    const bool ended = !stop_.empty() && ready != waiting_.npos;
    if (!stop_.empty() && !ended) ready = waiting_.size() - begun();
    show(ready);
    if (ended) waiting_.clear();
    return !ended;
  }
  // The rest, which no stop text has come of.
  void finish() { show(waiting_.size()); }

 private:
  // How many of the last characters may be the beginning of the stop text.
  std::size_t begun() const {
    std::size_t length = std::min(waiting_.size(), stop_.size() - 1);
    while (!waiting_.ends_with(stop_.substr(0, length))) --length;
    return length;
  }
  void show(std::size_t count) {
    if (count > 0) print(for_output(waiting_.substr(0, count)));
    waiting_.erase(0, count);
  }

  const std::string& stop_;
  std::string waiting_;
};

void generate(Call call) {
  if (distributed::launched_processes().value_or(1) > 1) {
    throw ArgumentError("generating is for one process: start generate_hyena without mpirun");
  }
  const Checkpoint checkpoint = find_checkpoint(call.checkpoint);
  Config config = stored_config(checkpoint);
  config.set("device", quoted("device", call.device), "--device");
  const Options options = read_options(config);
  const auto codec = make_codec(options.task, options.symbols, options.codec);
  // All prompts are understood before the first is continued.
  const std::vector<Prompt> prompts = call.prompt_file.empty()
                                          ? std::vector{read_prompt(call.prompt, *codec)}
                                          : read_prompts(call.prompt_file, *codec);
  HyenaLM model(model_options(options));
  const std::string path = checkpoint.path("model.safetensors");
  const Safetensors stored = load_safetensors(path);
  load_or_blame(path, [&] { model.load_state_dict(stored.tensors); });

  const bool recall = options.task == "recall";
  std::size_t generated = 0;
  const auto start = std::chrono::steady_clock::now();
  if (recall && !call.given_length) call.decode.max_tokens = 1;
  for (const Prompt& prompt : prompts) {
    print(prompt.text);
    Output output(call.stop);
    const auto continuation =
        continue_sequence(model, prompt.tokens, call.decode, [&](std::int64_t token) {
          return output.add(str(recall ? " " : "", codec->decode({token})));
        });
    output.finish();
    print("\n");
    generated += continuation.size();
  }
  const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
  log_info(str(counted(static_cast<std::int64_t>(generated), "token"), " in ",
               fixed(time.count(), 2), " s, ",
               fixed(static_cast<double>(generated) / time.count(), 0), " per second"));
}

}  // namespace
}  // namespace crocuta::hyena

int main(int argc, char** argv) {
  using namespace crocuta;
  begin_program("generate_hyena", argv[0]);
  try {
    const auto call = hyena::read_command_line(argc, argv);
    if (call) hyena::generate(*call);
    return 0;
  } catch (const std::exception& error) {
    log_error(hyena::message_of(error));
    return hyena::exit_status(error);
  }
}
