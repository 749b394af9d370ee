#include "tools/run_layer/run_layer_options.h"

#include <limits>

#include "framework/base/cli.h"
#include "framework/base/error.h"
#include "layers/plugin.h"
#include "layers/registry.h"

namespace crocuta {
namespace {

std::string description() {
  std::string layers;
  for (const std::string& name : layer_names()) layers += "  " + name + "\n";
  return "Runs one layer on tensors from a file, to compare it with another framework.\n\n"
         "IN and OUT are safetensors files. IN holds input.0, input.1, ... in call order;\n"
         "all of the layer's parameters as param.<name>, or none, and the layer\n"
         "initialises its own; and grad_output, if gradients are wanted. OUT gets output\n"
         "and param.<name>, and with grad_output also grad.input.<i> and\n"
         "grad.param.<name>.\n\n"
         "Layers:\n" +
         layers;
}

constexpr const char* kFooter =
    "\nExample:\n"
    "  run_layer --layer Linear \\\n"
    "            --config '{\"in_features\": 3, \"out_features\": 2}' \\\n"
    "            --in in.safetensors --out out.safetensors\n\n"
    "Exit status: 0 done; 1 files, their contents, shapes, memory, device;\n"
    "2 command line, layer name, configuration, dtype, number of ranks.";

// Whether the device exists is found out when it is used.
void require_device_syntax(const std::string& text) {
  if (text == "cpu" || text == "cuda") return;
  if (text.starts_with("cuda:")) {
    parse_whole_number("--device cuda:", std::string_view(text).substr(5), 0, 1023);
    return;
  }
  throw ArgumentError(str("--device: expected cpu, cuda or cuda:<n>, got '", printable(text), "'"));
}

}  // namespace

std::optional<RunLayerOptions> parse_run_layer_options(int argc, const char* const* argv) {
  using Need = CommandLine::Need;
  RunLayerOptions o;
  CommandLine cli("run_layer", description(), kFooter);
  cli.option("--layer", o.layer, "NAME", "Name of the layer", Need::required);
  cli.option("--config", o.config, "FILE|JSON", "The layer's configuration: a file, or JSON itself",
             Need::required);
  cli.option("--plugin", o.plugins, "LIB", "Shared library of layers of yours; may be repeated");
  cli.option("--in", o.in, "IN", "File to read", Need::required);
  cli.option("--out", o.out, "OUT", "File to write", Need::required);
  cli.option("--device", o.device, "DEVICE", "cpu or cuda[:n], instead of the configuration's");
  cli.option("--seed", o.seed, "N", "Seed of the layer's own initialisation (0)", 0,
             std::numeric_limits<std::int64_t>::max());
  cli.option("--cp", o.ranks, "P", "Context-parallel ranks, as threads of this program (1)", 1,
             256);
  cli.option("--shard-dim", o.shard_dim, "D", "Dimension that the ranks split, of all tensors", -8,
             7);
  cli.only_together("--cp", "--shard-dim");
  if (!cli.parse(argc, argv)) return std::nullopt;
  if (cli.given("--device")) require_device_syntax(o.device);
  for (const std::string& plugin : o.plugins) load_plugin(plugin);
  return o;
}

}  // namespace crocuta
