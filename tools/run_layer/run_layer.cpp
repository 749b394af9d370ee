// run_layer: any registered layer on tensors from a file. See run_layer --help.
#include <unistd.h>

#include <iostream>
#include <new>

#include "framework/base/cli.h"
#include "framework/base/error.h"
#include "framework/base/json.h"
#include "framework/base/program.h"
#include "framework/io/safetensors.h"
#include "layers/registry.h"
#include "tools/run_layer/layer_run.h"
#include "tools/run_layer/run_layer_options.h"

namespace crocuta {
namespace {

constexpr int kRunTimeError = 1, kUsageError = 2;

int report(int status, const std::string& message) {
  std::cerr << "run_layer: error: " << printable(without_functions(message), 4000) << std::endl;
  return status;
}

Config read_config(const RunLayerOptions& options) {
  Config config = config_argument(options.config);
  if (!options.device.empty()) config.set("device", json::quote(options.device));
  return config;
}

LayerRun prepare(const RunLayerOptions& options) {
  LayerRun run{.layer = options.layer,
               .config = {},
               .in = {},
               .seed = static_cast<std::uint64_t>(options.seed),
               .ranks = static_cast<int>(options.ranks),
               .shard_dim = static_cast<int>(options.shard_dim)};
  run.config = read_config(options);
  make_layer(run.layer, run.config);  // before IN, which may be large, is read
  return run;
}

void execute(LayerRun& run, const RunLayerOptions& options) {
  run.in = load_safetensors(options.in).tensors;
  RankThreadOptions threads;
  threads.on_stuck = [](const std::string& failure) { _exit(report(kRunTimeError, failure)); };
  try {
    save_safetensors(options.out, run_layer(run, threads));
  } catch (const FormatError& error) {
    throw FormatError(str(printable(options.in), ": ", error.what()));
  }
}

int run_program(int argc, char** argv) {
  begin_program("run_layer", argv[0]);
  try {
    const auto options = parse_run_layer_options(argc, argv);
    if (!options) return 0;
    LayerRun run = prepare(*options);
    try {
      execute(run, *options);
    } catch (const RanksError& error) {
      return report(kUsageError, error.what());
    } catch (const ArgumentError& error) {  // of the values in IN
      return report(kRunTimeError, error.what());
    }
    return 0;
  } catch (const ArgumentError& error) {
    return report(kUsageError, error.what());
  } catch (const DTypeError& error) {
    return report(kUsageError, error.what());
  } catch (const std::bad_alloc&) {
    return report(kRunTimeError, "out of memory");
  } catch (const std::exception& error) {
    return report(kRunTimeError, error.what());
  }
}

}  // namespace
}  // namespace crocuta

int main(int argc, char** argv) {
  return crocuta::run_program(argc, argv);
}
