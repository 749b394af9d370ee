#include "tools/verify_cp/verify_cp_program.h"

#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <iostream>
#include <optional>
#include <sstream>

#include "distributed/agreement.h"
#include "distributed/backends/threads.h"
#include "distributed/gradient_sync.h"
#include "distributed/init.h"
#include "framework/base/cli.h"
#include "framework/base/error.h"
#include "framework/base/json.h"
#include "framework/base/output.h"
#include "framework/base/program.h"
#include "framework/io/safetensors.h"
#include "framework/ops/ops.h"
#include "framework/tensor/random.h"
#include "framework/tensor/strided.h"
#include "layers/layer_options.h"
#include "layers/plugin.h"
#include "layers/registry.h"
#include "tools/verify_cp/cp_comparison.h"

namespace crocuta {
namespace {

constexpr int kDiffers = 1, kUsageError = 2;

constexpr const char* kDescription =
    "Runs a layer on one rank and on P ranks that share the same input, and compares\n"
    "what comes out of every layer inside it, the gradients that come back, and the\n"
    "parameters' gradients. Names the first layer that differs. Without --layer, a\n"
    "small Hyena language model.";

constexpr const char* kFooter =
    "\nExamples:\n"
    "  verify_cp --cp 4\n"
    "  verify_cp --cp 2 --layer MLP --config '{\"d_model\": 8}' --shape 2,16,8\n"
    "  verify_cp --cp 3 --layer DistributedDepthwiseConv1d --shape 2,12,50 \\\n"
    "            --shard-dim 1 \\\n"
    "            --config '{\"hidden_dim\": 12, \"kernel_size\": 5, \"num_groups\": 4}'\n"
    "  mpirun -n 4 verify_cp                   ranks that are processes\n\n"
    "Each figure is the largest difference of any element, divided by the largest\n"
    "element. Ranks are threads unless a launcher has started several processes.\n\n"
    "Exit status: 0 all agrees; 1 something differs or fails; 2 command line, layer,\n"
    "configuration, input.";

std::string message_of(const std::exception& error) {
  return printable(without_functions(error.what()), 4000);
}

struct Call {
  CpSubject subject;
  std::int64_t ranks = 2;
  bool ranks_given = false;
  double tolerance = 0;
};

std::vector<std::int64_t> parse_shape(const std::string& text) {
  Config config;
  config.set("shape", "[" + text + "]", "--shape");
  std::vector<std::int64_t> sizes = config.get_ints("shape", {}, {.min = 1, .max = 1 << 30});
  if (sizes.empty()) throw ArgumentError("--shape: expected sizes, like 2,16,8, got none");
  return sizes;
}

// What rounding may come to, in sums taken in another order through many layers.
double default_tolerance(DType dtype) {
  switch (dtype) {
    case DType::float64:
      return 1e-11;
    case DType::float32:
      return 1e-4;
    default:
      return 0.1;
  }
}

std::optional<Call> read_command_line(int argc, const char* const* argv) {
  Call call;
  CpSubject& s = call.subject;
  std::string config = R"({"vocab_size": 16, "d_model": 24, "l_max": 48, "n_layers": 2})";
  std::string shape = "2,48", in, device;
  std::vector<std::string> plugins;
  std::int64_t shard_dim = 1, seed = 0, ids = 16;
  s.layer = "HyenaLM";
  CommandLine cli("verify_cp", kDescription, kFooter);
  cli.option("--cp", call.ranks, "P", "Ranks (2)", 1, 256);
  cli.option("--layer", s.layer, "NAME", "A registered layer");
  cli.option("--config", config, "FILE|JSON",
             "Its configuration: a file, or JSON itself; dtype float64 unless it says another");
  cli.option("--plugin", plugins, "LIB", "Shared library of layers of yours; may be repeated");
  cli.option("--shape", shape, "SIZES", "Of its input, like 2,16,8; normal random numbers");
  cli.option("--ids", ids, "V", "The input is int64 ids below V instead", 1, 1 << 30);
  cli.option("--in", in, "IN",
             "safetensors file with input.0 and, as param.<name>, all parameters or none");
  cli.option("--shard-dim", shard_dim, "D", "Dimension along which ranks share the input (1)", -8,
             7);
  cli.option("--tolerance", call.tolerance, "X",
             "Largest difference that counts as rounding (float64 1e-11, float32 1e-4, else 0.1)",
             {.min = 0});
  cli.option("--seed", seed, "N", "Seed of parameters, input and gradient (0)", 0, 1 << 30);
  cli.option("--device", device, "DEVICE", "cpu or cuda[:n], instead of the configuration's");
  cli.only_together("--layer", "--config");
  if (!cli.parse(argc, argv)) return {};
  for (const std::string& plugin : plugins) load_plugin(plugin);
  if (cli.given("--layer") && !cli.given("--shape") && !cli.given("--in")) {
    throw ArgumentError("--shape: expected the input's sizes, or --in IN, got nothing");
  }

  call.ranks_given = cli.given("--cp");
  s.config = config_argument(config);
  if (!s.config.has("dtype")) s.config.set("dtype", "float64");
  if (!device.empty()) s.config.set("device", json::quote(device));
  s.seed = static_cast<std::uint64_t>(seed);
  s.shard_dim = static_cast<int>(shard_dim);
  const TensorOptions options = tensor_options(s.config);
  Generator generator{s.seed + 3, 0};
  if (cli.given("--in")) {
    for (const auto& [name, tensor] : load_safetensors(in).tensors) {
      if (name.starts_with("param.")) s.params[name.substr(6)] = tensor;
      if (name == "input.0") s.x = tensor.to(options.device);
    }
    if (!s.x.defined() || s.x.dim() == 0 || s.x.numel() == 0) {
      throw FormatError(
          str(printable(in), ": 'input.0': expected a tensor with elements to share"));
    }
  } else if (cli.given("--ids") || !cli.given("--layer")) {
    const Tensor numbers = rand(parse_shape(shape), {DType::float64, options.device}, generator);
    s.x = (numbers * static_cast<double>(ids)).to(DType::int64);
  } else {
    s.x = randn(parse_shape(shape), options, generator);
  }
  if (!cli.given("--tolerance")) call.tolerance = default_tolerance(options.dtype);
  return call;
}

void require_divisible(const Call& call) {
  const Tensor& x = call.subject.x;
  const int dim = normalize_dim("--shard-dim", call.subject.shard_dim, x.dim());
  if (x.size(dim) % call.ranks == 0) return;
  throw ArgumentError(str("--cp: expected a divisor of the input's ", x.size(dim),
                          " along --shard-dim ", call.subject.shard_dim, ", got ", call.ranks));
}

std::string figure(double value, double tolerance) {
  if (std::isnan(value)) return "-";
  char text[32];
  std::snprintf(text, sizeof text, value == 0 ? "%.0f" : "%.1e", value);
  return std::string(text) + (value > tolerance ? " !" : "");
}

void print(const Call& call, const CpReport& report, std::ostream& out) {
  const CpSubject& s = call.subject;
  std::size_t width = s.layer.size();
  for (const LayerDifference& d : report.layers) width = std::max(width, d.name.size());
  const auto cell = [](const std::string& text, std::size_t columns) {
    return text + std::string(columns > text.size() ? columns - text.size() : 0, ' ') + "  ";
  };
  const auto row = [&](const std::string& name, const std::string& a, const std::string& b,
                       const std::string& c, const std::string& d) {
    out << cell(name, width) << cell(a, 9) << cell(b, 9) << cell(c, 9) << d << '\n';
  };
  out << s.layer << " on " << call.ranks << (call.ranks == 1 ? " rank" : " ranks")
      << " beside one, " << s.config.get_string("dtype") << ", input " << to_string(s.x.shape())
      << ", tolerance " << call.tolerance << "\n\n";
  row("layer", "output", "d output", "d input", "d parameters");
  for (const LayerDifference& d : report.layers) {
    row(d.name.empty() ? s.layer : d.name, figure(d.output, call.tolerance),
        figure(d.grad_output, call.tolerance), figure(d.grad_input, call.tolerance),
        d.parameter.empty() ? "-"
                            : cell(figure(d.grad_parameters, call.tolerance), 9) + d.parameter);
  }
  out << '\n';
  if (report.first.empty()) {
    out << "All agree.\n";
  } else {
    out << "First to differ: " << report.first << ".\n";
  }
}

CpReport run_in_threads(const Call& call, const CpRun& alone, std::ostream& err) {
  CpReport report;
  RankThreadOptions options;
  options.on_stuck = [&err](const std::string& failure) {
    err << "verify_cp: error: " << failure << std::endl;
    _exit(kDiffers);
  };
  run_ranks(
      static_cast<int>(call.ranks),
      [&](const ProcessGroup& world) {
        const CpRun mine = run_on_ranks(call.subject, alone, world);
        const CpReport all = compare(alone, mine, world, call.tolerance);
        if (world.rank() == 0) report = all;
      },
      options);
  return report;
}

// What differs between the ranks' calls; "" if nothing does.
std::string differences(const Call& call, const ProcessGroup& world) {
  const CpSubject& s = call.subject;
  std::vector<Fact> facts = {{"--layer", s.layer},
                             {"--shape", to_string(s.x.shape())},
                             {"--shard-dim", str(s.shard_dim)},
                             {"--seed", str(s.seed)},
                             {"--tolerance", str(call.tolerance)}};
  for (const auto& [key, value, none] : s.config.differences(Config())) {
    facts.push_back({key, value});
  }
  return disagreement(facts, world);
}

int run(int argc, const char* const* argv, std::ostream& out, std::ostream& err, int& rank) {
  const bool processes = distributed::launched_processes().value_or(1) > 1;
  std::optional<ProcessGroup> world;
  if (processes) world = distributed::init();
  if (world) rank = world->rank();
  const ProcessGroup group = world.value_or(ProcessGroup());
  std::optional<Call> call;
  std::optional<CpRun> alone;
  std::string mine;
  try {
    call = read_command_line(argc, argv);
    if (!call) return 0;
    if (world && call->ranks_given && call->ranks != world->size()) {
      throw ArgumentError(
          str("--cp: expected the number of processes, ", world->size(), ", got ", call->ranks));
    }
    if (world) call->ranks = world->size();
    require_divisible(*call);
    alone = run_alone(call->subject);
  } catch (const OutputError&) {
    throw;
  } catch (const Error& error) {  // nothing to compare with: whatever it is, the call is wrong
    mine = message_of(error);
  }
  const Failure first = first_failure(mine, group);
  const std::string failure =
      first.text.empty() ? differences(*call, group) : first.who + first.text;
  if (!failure.empty()) {
    if (rank == 0) err << "verify_cp: error: " << failure << std::endl;
    return kUsageError;
  }
  std::vector<NamedTensor> given = alone->layer->named_parameters();
  given.push_back({"input.0", call->subject.x});
  check_same_parameters(given, group);
  const CpReport report =
      world ? compare(*alone, run_on_ranks(call->subject, *alone, *world), *world, call->tolerance)
            : run_in_threads(*call, *alone, err);
  if (rank == 0) print(*call, report, out);
  return report.first.empty() ? 0 : kDiffers;
}

}  // namespace

int verify_cp(int argc, const char* const* argv, std::ostream& out, std::ostream& err) {
  int rank = 0;
  try {
    return run(argc, argv, out, err, rank);
  } catch (const std::exception& error) {
    err << "verify_cp: error: " << message_of(error) << std::endl;
    return kDiffers;
  }
}

int verify_cp(int argc, const char* const* argv) {
  begin_program("verify_cp", argv[0]);
  std::ostringstream table;
  int status = verify_cp(argc, argv, table, std::cerr);
  if (const int code = try_print(table.str())) {
    std::cerr << "verify_cp: error: " << output_failure(code) << std::endl;
    status = kDiffers;
  }
  return distributed::shutdown(status);
}

}  // namespace crocuta
