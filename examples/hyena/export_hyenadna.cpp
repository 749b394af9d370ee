// export_hyenadna: writes a checkpoint of ours in HyenaDNA's format.
#include "examples/hyena/app/hyenadna.h"
#include "examples/hyena/app/run_plan.h"
#include "examples/hyena/app/together.h"
#include "framework/base/cli.h"
#include "framework/base/log.h"
#include "framework/base/output.h"
#include "framework/base/program.h"
#include "framework/io/safetensors.h"

namespace crocuta::hyena {
namespace {

constexpr const char* kDescription =
    "Writes a model that import_hyenadna has read, or that was trained on from there,\n"
    "in HyenaDNA's format again: model.safetensors and config.json.";

void export_model(int argc, char** argv) {
  std::string from, out;
  CommandLine cli("export_hyenadna", kDescription,
                  "Exit status: 0, 1 if something failed, 2 for options that make no sense.");
  cli.option("--checkpoint", from, "DIR", "A run's directory, or one of its checkpoints",
             CommandLine::Need::required);
  cli.option("--out", out, "DIR", "Where the two files go", CommandLine::Need::required);
  if (!cli.parse(argc, argv)) return;
  const Checkpoint checkpoint = find_checkpoint(from);
  const Options options = read_options(stored_config(checkpoint));
  const HyenaDnaFiles files =
      to_hyenadna(options, load_safetensors(checkpoint.path("model.safetensors")).tensors);
  make_directories(out);
  for (const char* name : {"/model.safetensors", "/config.json"}) {
    if (file_kind(out + name) == FileKind::absent) continue;
    throw ArgumentError(str("--out: ", printable(out + name), " is there already"));
  }
  save_safetensors(out + "/model.safetensors", files.tensors, {{"format", "pt"}});
  replace_file(out + "/config.json", [&](File& file) { file.write(files.config); });
  print(str("Exported ", files.tensors.size(), " tensors to ", printable(out), "/\n"));
}

}  // namespace
}  // namespace crocuta::hyena

int main(int argc, char** argv) {
  using namespace crocuta;
  begin_program("export_hyenadna", argv[0]);
  try {
    hyena::export_model(argc, argv);
    return 0;
  } catch (const std::exception& error) {
    log_error(hyena::message_of(error));
    return hyena::exit_status(error);
  }
}
