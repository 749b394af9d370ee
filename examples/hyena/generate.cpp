// generate_hyena: continues a prompt with a trained model.
#include <unistd.h>

#include <cstdio>
#include <optional>

#include "examples/hyena/decode.h"
#include "examples/hyena/run_plan.h"
#include "examples/hyena/together.h"
#include "examples/hyena/trainer.h"
#include "framework/cli.h"
#include "framework/json.h"
#include "framework/log.h"
#include "framework/safetensors.h"

namespace crocuta::hyena {
namespace {

constexpr const char* kDescription =
    "Continues a prompt with a model that train_hyena has trained.\n\n"
    "Each token comes from a forward pass over the prompt and all that was generated; beyond the\n"
    "length that the model was trained on, over the last tokens that fit.";

constexpr const char* kFooter =
    "Examples:\n"
    "  generate_hyena --checkpoint runs/recall --prompt \"a B c D a B => c\"\n"
    "  generate_hyena --checkpoint runs/text --prompt \"The \" --temperature 0.8 --max-tokens 500\n"
    "  generate_hyena --checkpoint runs/dna --prompt ATGAAA --top-k 2\n\n"
    "Exit status: 0, 1 if something failed, 2 for options that make no sense.";

struct Call {
  std::string checkpoint, prompt, device = "auto";
  DecodeOptions decode;
  bool given_length = false;
};

double parse_temperature(const std::string& text) {
  Config config;
  config.set("--temperature", text);
  return config.get_real("--temperature", {.min = 0, .max = 1000});
}

std::optional<Call> read_command_line(int argc, char** argv) {
  Call call;
  std::string temperature = "1";
  std::int64_t seed = 0;
  CommandLine cli("generate_hyena", kDescription, kFooter);
  cli.option("--checkpoint", call.checkpoint, "DIR", "A run's directory, or one of its checkpoints",
             CommandLine::Need::required);
  cli.option("--prompt", call.prompt, "TEXT", "What to continue", CommandLine::Need::required);
  cli.option("--max-tokens", call.decode.max_tokens, "N", "Tokens to add (200; recall: 1)", 1,
             1 << 30);
  cli.option("--temperature", temperature, "X",
             "1: as the model predicts; less: likelier tokens; 0: always the likeliest");
  cli.option("--top-k", call.decode.top_k, "N", "Choose among the N likeliest; 0: among all", 0,
             1 << 30);
  cli.option("--seed", seed, "N", "Seed of the choice", 0, std::int64_t{1} << 62);
  cli.option("--device", call.device, "DEVICE", "cpu, cuda, cuda:N or auto");
  if (!cli.parse(argc, argv)) return {};
  call.decode.seed = static_cast<std::uint64_t>(seed);
  call.decode.temperature = parse_temperature(temperature);
  call.given_length = cli.given("--max-tokens");
  return call;
}

// A model may have learned bytes that would steer a terminal; a file or pipe gets them as they are.
std::string for_output(const std::string& text) {
  static const bool terminal = ::isatty(STDOUT_FILENO) == 1;
  const bool plain = text.size() != 1 || text == "\n" || text == "\t" || (text[0] & 0x80) != 0;
  return plain || !terminal ? text : printable(text);
}

void generate(Call call) {
  const Checkpoint checkpoint = find_checkpoint(call.checkpoint);
  Config config = stored_config(checkpoint);
  config.set("device", json::quote(call.device));
  const Options options = read_options(config);
  const auto codec = make_codec(options.task, options.symbols);
  const std::vector<std::int64_t> prompt = codec->encode(call.prompt);
  HyenaLM model(model_options(options));
  const std::string path = checkpoint.path("model.safetensors");
  const Safetensors stored = load_safetensors(path);
  load_or_blame(path, [&] { model.load_state_dict(stored.tensors); });

  const bool recall = options.task == "recall";
  if (recall && !call.given_length) call.decode.max_tokens = 1;
  std::fputs(call.prompt.c_str(), stdout);
  continue_sequence(model, prompt, call.decode, [&](std::int64_t token) {
    const std::string text = str(recall ? " " : "", for_output(codec->decode({token})));
    std::fwrite(text.data(), 1, text.size(), stdout);
    return std::fflush(stdout) == 0;
  });
  std::fputc('\n', stdout);
}

}  // namespace
}  // namespace crocuta::hyena

int main(int argc, char** argv) {
  using namespace crocuta;
  set_log_name("generate_hyena");
  try {
    const auto call = hyena::read_command_line(argc, argv);
    if (call) hyena::generate(*call);
    return 0;
  } catch (const std::exception& error) {
    log_error(hyena::message_of(error));
    return hyena::exit_status(error);
  }
}
