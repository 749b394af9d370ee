#include "layers/inspect/causality.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <optional>

#include "distributed/gradient_sync.h"
#include "framework/ops/ops.h"
#include "framework/tensor/random.h"
#include "layers/distributed_depthwise_conv1d.h"
#include "layers/inspect/trace.h"

namespace crocuta {
namespace {

constexpr double kNothing = std::numeric_limits<double>::quiet_NaN();

struct Run {
  LayerCalls calls;
  std::vector<NamedTensor> gradients;
};

// Forward, and back from a random gradient at the positions before `cut`.
Run run(Layer& model, const Tensor& x_in, std::int64_t cut, const ProcessGroup& cp) {
  Run result;
  model.zero_grad();
  Tensor x = x_in.detach();
  if (is_floating(x.dtype())) x = x.clone().set_requires_grad();
  const Tensor y = [&] {
    const LayerTrace trace(model, result.calls);
    return model(x, cp);
  }();
  Generator generator{17, static_cast<std::uint64_t>(cp.rank())};
  const Tensor dy = randn(y.shape(), y.options(), generator);
  const std::int64_t n = y.size(1);
  const std::int64_t past = std::clamp<std::int64_t>(cut - cp.rank() * n, 0, n);
  if (past < n) narrow(dy, 1, past, n - past).fill_(0);
  y.backward(dy);
  sync_gradients(model.parameters(), cp);
  for (const NamedTensor& p : model.named_parameters()) {
    result.gradients.push_back({p.name, p.tensor.grad()});
  }
  model.zero_grad();
  return result;
}

// Where the elements of a tensor stand in the sequence.
struct Positions {
  std::int64_t first, count, step;  // element i: first + i / step % count

  std::int64_t of(std::size_t i) const {
    return first + static_cast<std::int64_t>(i) / step % count;
  }
};

std::optional<Positions> positions(const LayerCall& call, const Tensor& t,
                                   std::int64_t local_length, const ProcessGroup& cp) {
  if (t.numel() == 0) return {};
  if (dynamic_cast<const DistributedDepthwiseConv1d*>(call.layer)) {
    // Whole sequences of some of the channels, or parts of sequences of all of them.
    const bool part = cp.size() > 1 && t.size(2) == local_length;
    return Positions{part ? cp.rank() * local_length : 0, t.size(2), 1};
  }
  if (t.dim() < 2 || t.size(1) != local_length) return {};
  return Positions{cp.rank() * local_length, local_length, t.numel() / t.size(0) / t.size(1)};
}

// Differences and sizes over all ranks.
double relative(double off, double largest, const ProcessGroup& cp) {
  const auto both =
      cp.all_reduce(from_vector(std::vector<double>{off, largest}, {2}, Device::cpu()),
                    ReduceOp::max)
          .to_vector<double>();
  return both[0] == 0 ? 0 : both[0] / both[1];
}

double magnitude(double difference) {
  const double size = std::fabs(difference);
  return std::isfinite(size) ? size : std::numeric_limits<double>::infinity();
}

// How far `b` is from `a` before `cut`; and with `zeros_after` how far both are from zero after it.
double moved(const Tensor& a, const Tensor& b, std::int64_t cut, bool zeros_after,
             const std::optional<Positions>& at, const ProcessGroup& cp) {
  if (!a.defined() || !b.defined() || !at) return kNothing;
  const auto before = a.to_vector<double>(), after = b.to_vector<double>();
  double off = 0, largest = 0;
  for (std::size_t i = 0; i < before.size(); ++i) {
    if (at->of(i) < cut) {
      off = std::max(off, magnitude(after[i] - before[i]));
      largest = std::max(largest, std::fabs(before[i]));
    } else if (zeros_after) {
      off = std::max({off, magnitude(before[i]), magnitude(after[i])});
    }
  }
  return relative(off, largest, cp);
}

double moved(const Tensor& a, const Tensor& b) {
  const auto before = a.to_vector<double>(), after = b.to_vector<double>();
  double off = 0, largest = 0;
  for (std::size_t i = 0; i < before.size(); ++i) {
    off = std::max(off, magnitude(after[i] - before[i]));
    largest = std::max(largest, std::fabs(before[i]));
  }
  return off == 0 ? 0 : off / largest;
}

std::string sentence(const std::string& what, double by) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1e", by);
  return what + text;
}

std::string title(const std::string& name) {
  return name.empty() ? "the model" : name;
}

}  // namespace

double CausalityReport::worst_output() const {
  double worst = 0;
  for (const LookAhead& l : layers) worst = std::fmax(worst, l.output);
  return worst;
}

double CausalityReport::worst_gradient() const {
  double worst = parameters;
  for (const LookAhead& l : layers)
    worst = std::fmax(worst, std::fmax(l.grad_output, l.grad_input));
  return worst;
}

CausalityReport check_causality(Layer& model, const Tensor& x, const Tensor& changed,
                                std::int64_t cut, double tolerance, const ProcessGroup& cp) {
  const bool training = model.is_training();
  model.train(false);
  const Run a = run(model, x, cut, cp), b = run(model, changed, cut, cp);
  model.train(training);

  CausalityReport report;
  std::vector<std::size_t> order(a.calls.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::sort(order.begin(), order.end(),
            [&](std::size_t i, std::size_t j) { return a.calls[i]->ended < a.calls[j]->ended; });
  struct Back {  // what comes back at a time, the latest first
    int time;
    double gradient;
    std::string what;
  };
  std::vector<Back> backwards;
  for (const std::size_t i : order) {
    const LayerCall &one = *a.calls[i], &two = *b.calls.at(i);
    const auto at_output = positions(one, one.output, x.size(1), cp);
    const auto at_input = positions(one, one.input, x.size(1), cp);
    const LookAhead l{one.name, moved(one.output, two.output, cut, false, at_output, cp),
                      moved(one.grad_output, two.grad_output, cut, true, at_output, cp),
                      moved(one.grad_input, two.grad_input, cut, true, at_input, cp)};
    report.layers.push_back(l);
    const std::string name = title(l.layer);
    if (l.output > tolerance && report.first.empty()) {
      report.first = sentence(name + ": an output before the change moves by ", l.output);
    }
    backwards.push_back(
        {one.ended, l.grad_output,
         "what uses the output of " + name + ": the gradient from there is off by "});
    backwards.push_back({one.began, l.grad_input, name + ": the gradient of its input is off by "});
  }
  std::sort(backwards.begin(), backwards.end(),
            [](const Back& p, const Back& q) { return p.time > q.time; });
  for (const Back& back : backwards) {
    if (!report.first.empty()) break;
    if (back.gradient > tolerance) report.first = sentence(back.what, back.gradient);
  }
  for (std::size_t i = 0; i < a.gradients.size(); ++i) {
    const double by = moved(a.gradients[i].tensor, b.gradients[i].tensor);
    if (report.parameter.empty() || by > report.parameters) {
      report.parameters = by;
      report.parameter = a.gradients[i].name;
    }
  }
  if (report.first.empty() && report.parameters > tolerance) {
    report.first = sentence(report.parameter + ": its gradient moves by ", report.parameters);
  }
  return report;
}

double causality_tolerance(DType dtype) {
  switch (dtype) {
    case DType::float64:
      return 1e-10;
    case DType::float32:
      return 1e-4;
    default:
      return 0.02;
  }
}

}  // namespace crocuta
