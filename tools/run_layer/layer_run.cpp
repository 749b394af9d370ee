#include "tools/run_layer/layer_run.h"

#include <optional>

#include "distributed/gradient_sync.h"
#include "framework/base/error.h"
#include "framework/ops/ops.h"
#include "framework/tensor/autograd.h"
#include "framework/tensor/random.h"
#include "layers/layer.h"
#include "layers/registry.h"

namespace crocuta {
namespace {

constexpr std::string_view kParam = "param.";

// IN, taken apart.
struct Request {
  Tensor input;
  StateDict params;  // empty: the layer's own
  Tensor grad_output;
};

Request read_request(const StateDict& in) {
  Request request;
  for (const auto& [name, tensor] : in) {
    if (name == "input.0") {
      request.input = tensor;
    } else if (name == "grad_output") {
      request.grad_output = tensor;
    } else if (name.starts_with(kParam)) {
      request.params[name.substr(kParam.size())] = tensor;
    } else if (name.starts_with("input.")) {
      throw FormatError(str("'", printable(name), "': layers take one tensor, input.0"));
    } else {
      throw FormatError(
          str("'", printable(name), "': expected input.0, param.<name> or grad_output"));
    }
  }
  if (!request.input.defined()) throw FormatError("'input.0': expected a tensor, got none");
  return request;
}

// What one rank computes: whole tensors, but its shards of the output and the input's gradient.
struct Result {
  Tensor output, grad_input;
  std::vector<NamedTensor> params;
};

Tensor shard(const char* name, const Tensor& x, int dim, const ProcessGroup& group) {
  if (group.size() == 1) return x;
  if (dim >= x.dim() || x.size(dim) % group.size() != 0) {
    fail<ShapeError>(name, "size",
                     str("a multiple of the ", group.size(), " ranks along --shard-dim"),
                     to_string(x.shape()));
  }
  const std::int64_t part = x.size(dim) / group.size();
  return narrow(x, dim, group.rank() * part, part).contiguous();
}

std::unique_ptr<Layer> build(const LayerRun& run, const StateDict& params) {
  manual_seed(run.seed);
  std::unique_ptr<Layer> layer = make_layer(run.layer, run.config);
  layer->train(false);
  if (params.empty()) return layer;
  for (const auto& [name, tensor] : layer->state_dict()) {
    const auto given = params.find(name);
    if (given == params.end() || given->second.dtype() == tensor.dtype()) continue;
    fail<DTypeError>(run.layer, std::string(kParam) + name,
                     str("the layer's dtype ", tensor.dtype(), " (the key \"dtype\" chooses)"),
                     str(given->second.dtype()));
  }
  try {
    layer->load_state_dict(params);
  } catch (const ArgumentError& error) {
    throw FormatError(error.what());
  }
  return layer;
}

Result run_rank(const LayerRun& run, const Request& request, const ProcessGroup& group) {
  const std::unique_ptr<Layer> layer = build(run, request.params);
  const TensorOptions options =
      layer->parameters().empty() ? TensorOptions{} : layer->parameters()[0].options();
  Tensor x = shard("input.0", request.input, run.shard_dim, group).to(options.device);
  Tensor dy;
  if (request.grad_output.defined()) {
    dy = shard("grad_output", request.grad_output, run.shard_dim, group).to(options.device);
    if (is_floating(x.dtype())) x = x.detach().set_requires_grad();
  }
  std::optional<NoGrad> no_grad;
  if (!dy.defined()) no_grad.emplace();
  const Tensor y = layer->forward(x, group);

  Result result{.output = y.detach(), .grad_input = {}, .params = layer->named_parameters()};
  if (dy.defined()) {
    if (dy.shape() != y.shape()) {
      fail<ShapeError>(run.layer, "grad_output", str("the output's shape ", to_string(y.shape())),
                       to_string(dy.shape()));
    }
    y.backward(dy);
    sync_gradients(layer->parameters(), group);
    if (x.requires_grad()) {
      result.grad_input = x.grad().defined() ? x.grad() : zeros(x.shape(), x.options());
    }
  }
  return result;
}

// --shard-dim as a dimension of the input, from 0: the output may have others after it.
int shard_dim_of(const Tensor& input, const LayerRun& run) {
  if (run.ranks == 1) return 0;
  const int dims = input.dim(), dim = run.shard_dim < 0 ? run.shard_dim + dims : run.shard_dim;
  if (dim >= 0 && dim < dims) return dim;
  throw RanksError(str("--shard-dim: expected ",
                       dims == 0 ? std::string("an input with dimensions to share")
                                 : str("a dimension of input.0, from ", -dims, " to ", dims - 1),
                       ", got ", run.shard_dim));
}

Tensor join(const std::vector<Tensor>& shards, int dim) {
  return (shards.size() == 1 ? shards[0] : cat(shards, dim)).to(Device::cpu()).contiguous();
}

}  // namespace

StateDict run_layer(const LayerRun& asked, const RankThreadOptions& options) {
  const Request request = read_request(asked.in);
  LayerRun run = asked;
  run.shard_dim = shard_dim_of(request.input, run);
  std::vector<Result> results(static_cast<std::size_t>(run.ranks));
  if (run.ranks == 1) {
    results[0] = run_rank(run, request, ProcessGroup());
  } else {
    try {
      run_ranks(
          run.ranks,
          [&](const ProcessGroup& world) {
            results[static_cast<std::size_t>(world.rank())] = run_rank(run, request, world);
          },
          options);
    } catch (const ArgumentError& error) {
      // Is it the number of ranks, or would one rank have said so, too?
      LayerRun alone = run;
      alone.ranks = 1;
      run_layer(alone);
      throw RanksError(error.what());
    }
  }

  std::vector<Tensor> outputs, grad_inputs;
  for (const Result& result : results) {
    outputs.push_back(result.output);
    if (result.grad_input.defined()) grad_inputs.push_back(result.grad_input);
  }
  StateDict out = {{"output", join(outputs, run.shard_dim)}};
  if (!grad_inputs.empty()) out["grad.input.0"] = join(grad_inputs, run.shard_dim);
  for (const auto& [name, tensor] : results[0].params) {
    out["param." + name] = tensor.detach().to(Device::cpu());
    if (request.grad_output.defined()) out["grad.param." + name] = tensor.grad().to(Device::cpu());
  }
  return out;
}

}  // namespace crocuta
