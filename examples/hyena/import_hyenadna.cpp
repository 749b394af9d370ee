// import_hyenadna: makes a checkpoint of ours from a model in HyenaDNA's format.
#include "examples/hyena/app/hyenadna.h"
#include "examples/hyena/app/run_plan.h"
#include "examples/hyena/app/together.h"
#include "examples/hyena/trainer.h"
#include "framework/base/cli.h"
#include "framework/base/log.h"
#include "framework/base/output.h"
#include "framework/base/program.h"

namespace crocuta::hyena {
namespace {

constexpr const char* kDescription =
    "Makes a checkpoint from a published HyenaDNA model: a directory that holds its\n"
    "model.safetensors and config.json (LongSafari/hyenadna-<size>-seqlen-hf).";

constexpr const char* kFooter =
    "Example:\n"
    "  import_hyenadna --from hyenadna-tiny-1k-seqlen-hf --out models/tiny\n"
    "  score_hyena --checkpoint models/tiny --fasta genes.fa\n"
    "  train_hyena --init-from models/tiny --task dna --data genome.fa\n\n"
    "The window of the filter is shifted by 0.05 in the code that was published for\n"
    "inference, and by 0 in the code for training; a file does not say which it was\n"
    "trained with. Try both if results are poor.\n\n"
    "Exit status: 0, 1 if something failed, 2 for options that make no sense.";

void import_model(int argc, char** argv) {
  std::string from, out;
  double shift = 0.05;
  CommandLine cli("import_hyenadna", kDescription, kFooter);
  cli.option("--from", from, "DIR", "Where model.safetensors and config.json are",
             CommandLine::Need::required);
  cli.option("--out", out, "DIR", "Where the checkpoint goes", CommandLine::Need::required);
  cli.option("--filter-shift", shift, "X", "What is added to the filter's window (0.05)",
             {.min = 0, .max = 1000});
  if (!cli.parse(argc, argv)) return;
  const HyenaDna model = read_hyenadna(from, shift);
  require_no_run(out);
  for (const std::string& warning : model.warnings) log_warn(warning);
  const Config config = run_config(model.options);
  CheckpointStore(out).save({.step = 0,
                             .configuration = config.fingerprint(),
                             .tensors = {{"model.safetensors", model.parameters}},
                             .texts = {{"config.json", config.dump() + "\n"}}});
  std::int64_t parameters = 0;
  for (const auto& [name, tensor] : model.parameters) parameters += tensor.numel();
  print(
      str("Imported ", parameters, " parameters into ", printable(out), "/", step_name(0), "/\n"));
}

}  // namespace
}  // namespace crocuta::hyena

int main(int argc, char** argv) {
  using namespace crocuta;
  begin_program("import_hyenadna", argv[0]);
  try {
    hyena::import_model(argc, argv);
    return 0;
  } catch (const std::exception& error) {
    log_error(hyena::message_of(error));
    return hyena::exit_status(error);
  }
}
