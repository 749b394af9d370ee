#include "examples/hyena/trainer.h"

#include <algorithm>
#include <cmath>

#include "distributed/gradient_sync.h"
#include "examples/hyena/app/format.h"
#include "framework/base/log.h"
#include "framework/io/safetensors.h"
#include "framework/ops/ops.h"

namespace crocuta::hyena {
namespace {

// The first of `tensors` that holds a NaN or an infinity; "" if none does.
std::string first_bad(const std::vector<NamedTensor>& parameters, bool gradients) {
  for (const auto& [name, parameter] : parameters) {
    const Tensor tensor = gradients ? parameter.grad() : parameter.detach();
    // A sum of zeros, unless something is not finite.
    if (tensor.defined() && sum(affine(tensor, 0, 0)).item() != 0) return name;
  }
  return "";
}

HyenaLM::Options seeded(const Options& options) {
  manual_seed(static_cast<std::uint64_t>(options.seed));  // before the first parameter is made
  return model_options(options);
}

std::vector<Tensor> tensors(const std::vector<NamedTensor>& parameters) {
  std::vector<Tensor> result;
  for (const NamedTensor& parameter : parameters) result.push_back(parameter.tensor);
  return result;
}

std::vector<ParameterGroup> groups(const HyenaLM& model, double weight_decay) {
  HyenaLM::Groups of = model.parameter_groups();
  return {{.parameters = std::move(of.decay), .weight_decay = weight_decay},
          {.parameters = std::move(of.no_decay), .weight_decay = 0}};
}

}  // namespace

HyenaLM::Options model_options(const Options& o) {
  HyenaOptions hyena = o.model;
  if (hyena.l_max == 0) hyena.l_max = model_length(o);
  hyena.device = parse_device(o.device, "configuration");
  const auto codec = make_codec(o.task, o.symbols, o.codec);
  return {.vocab_size = codec->vocabulary(),
          .predicted = codec->predicted(),
          .tied_head = o.tied_head,
          .hyena = hyena};
}

namespace {

// Gives the model what it begins with. Optimizers come later: they copy parameters.
std::vector<NamedTensor> prepared(HyenaLM& model, const Options& options,
                                  const std::optional<Checkpoint>& initial) {
  if (initial) {
    const std::string path = initial->path("model.safetensors");
    StateDict state = load_safetensors(path).tensors;
    for (auto& [name, tensor] : state) {
      if (is_floating(tensor.dtype())) tensor = tensor.to(options.model.dtype);
    }
    load_or_blame(path, [&] { model.load_state_dict(state); });
  }
  for (const std::string& pattern : options.freeze) {
    try {
      model.requires_grad_(pattern, false);
    } catch (const ArgumentError&) {
      throw ArgumentError(
          str("'freeze': expected the name of a parameter, got '", printable(pattern), "'"));
    }
  }
  const std::vector<NamedTensor> parameters = model.named_parameters();
  const auto learns = [](const NamedTensor& p) { return p.tensor.requires_grad(); };
  if (std::none_of(parameters.begin(), parameters.end(), learns)) {
    throw ArgumentError("'freeze': expected to leave a parameter to be learned, got all of them");
  }
  return parameters;
}

}  // namespace

Trainer::Trainer(const Options& options, Task& task, const ParallelContext& parallel,
                 const std::optional<Checkpoint>& initial)
    : options_(options),
      task_(task),
      parallel_(parallel),
      model_(seeded(options)),
      parameters_(prepared(model_, options, initial)),
      optimizer_(groups(model_, options.weight_decay), {.learning_rate = options.learning_rate,
                                                        .beta1 = options.beta1,
                                                        .beta2 = options.beta2}) {}

void Trainer::check_ranks_agree() const {
  check_same_parameters(parameters_, parallel_.world);
}

std::vector<double> Trainer::sum_over_ranks(std::vector<double> values) const {
  const Shape shape = {static_cast<std::int64_t>(values.size())};
  const Tensor sum = parallel_.world.all_reduce(from_vector(values, shape, Device::cpu()));
  return sum.to_vector<double>();
}

Trainer::Output Trainer::forward(const Batch& batch, double divisor, bool measure_accuracy) {
  // This rank's rows and, of those, its positions. Rows need not divide evenly, positions do.
  const std::int64_t rank = parallel_.data_parallel.rank(), ranks = parallel_.data_parallel.size();
  const std::int64_t begin = batch.rows * rank / ranks, end = batch.rows * (rank + 1) / ranks;
  const std::int64_t chunk = batch.length / parallel_.context_parallel.size();
  const std::int64_t from = chunk * parallel_.context_parallel.rank();
  Batch mine = batch.part(begin, end, from, from + chunk);
  // Logits are those of the tokens that can come next, the first of which is class 0.
  for (std::int64_t& target : mine.targets) {
    if (target != kIgnored) target -= model_.predicted().first;
  }

  const Device device = model_.options().hyena.device;
  const Tensor targets = from_vector(mine.targets, {mine.rows, mine.length}, device);
  const Tensor ids = from_vector(mine.ids, {mine.rows, mine.length}, device);
  model_.set_first_sequence(begin);
  const Tensor logits = model_.forward(ids, parallel_.context_parallel);
  Output out;
  out.loss = cross_entropy(logits, targets, {.ignore_index = kIgnored, .divisor = divisor});
  if (measure_accuracy) {
    const auto guesses = argmax(logits.detach(), -1).to_vector<std::int64_t>();
    for (std::size_t i = 0; i < guesses.size(); ++i) {
      out.correct += guesses[i] == mine.targets[i] ? 1 : 0;
    }
  }
  return out;
}

std::string Trainer::find_trouble(const char* what, double value, bool in_gradients) const {
  if (std::isfinite(value)) return "";
  std::string where = first_bad(parameters_, false);
  if (!where.empty()) {
    where = "parameter '" + where + "' is the first that holds NaN or infinity";
  } else if (in_gradients && !(where = first_bad(parameters_, true)).empty()) {
    where = "the gradient of '" + where + "' is the first that holds NaN or infinity";
  } else {
    where = "all parameters are finite, so it overflowed on the way";
  }
  return str("step ", steps_done_ + 1, ": the ", what, " is ", fixed(value, 0), "; ", where);
}

Trainer::Step Trainer::step(bool measure_accuracy) {
  const Batch batch = task_.train_batch(sequences_seen_, options_.batch_size);
  const auto scored = static_cast<double>(batch.scored());
  const CosineSchedule schedule{
      .peak = options_.learning_rate,
      .floor = options_.min_learning_rate,
      .warmup_steps = std::min(options_.warmup_steps, options_.schedule_steps),
      .total_steps = options_.schedule_steps};
  Step result;
  result.learning_rate = schedule(steps_done_);

  model_.train(true);
  model_.zero_grad();
  const Output output = forward(batch, scored, measure_accuracy);
  const auto sums = sum_over_ranks({output.loss.item(), output.correct});
  result.loss = sums[0];
  result.accuracy = sums[1] / scored;
  result.trouble = find_trouble("loss", result.loss, false);
  if (result.trouble.empty()) {
    output.loss.backward();
    const std::vector<Tensor> all = tensors(parameters_);
    sync_gradients(all, parallel_.world);
    result.gradient_norm = gradient_norm(all);
    result.trouble = find_trouble("gradient norm", result.gradient_norm, true);
  }
  if (result.trouble.empty()) {
    optimizer_.set_learning_rate(result.learning_rate);
    optimizer_.step(clip_factor(result.gradient_norm, options_.clip_norm));
  }
  model_.zero_grad();  // nothing that is saved or measured next needs the memory
  ++steps_done_;
  sequences_seen_ += options_.batch_size;
  return result;
}

Evaluation Trainer::evaluate(std::int64_t rows) {
  const NoGrad no_grad;
  model_.train(false);
  const std::int64_t available = task_.test_rows(), taken = std::min(rows, available);
  double nats = 0, correct = 0;
  std::int64_t scored = 0;
  for (std::int64_t done = 0; done < taken; done += options_.batch_size) {
    const std::int64_t count = std::min(options_.batch_size, taken - done);
    Batch batch(count, task_.length());
    if (taken == available) {
      batch = task_.test_batch(done, count);
    } else {
      for (std::int64_t i = 0; i < count; ++i) {
        batch.set_row(i, task_.test_batch((done + i) * available / taken, 1));
      }
    }
    const Output output = forward(batch, 1, true);
    nats += output.loss.item();
    correct += output.correct;
    scored += batch.scored();
  }
  model_.train(true);
  const auto sums = sum_over_ranks({nats, correct});
  const auto count = static_cast<double>(scored);
  return {sums[0] / count, sums[1] / count, scored};
}

}  // namespace crocuta::hyena
