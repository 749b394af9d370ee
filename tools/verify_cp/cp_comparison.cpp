#include "tools/verify_cp/cp_comparison.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "distributed/context_parallel.h"
#include "framework/ops/ops.h"
#include "framework/tensor/autograd.h"
#include "framework/tensor/random.h"
#include "layers/registry.h"

namespace crocuta {
namespace {

constexpr double kInfinite = std::numeric_limits<double>::infinity();
constexpr double kNothing = std::numeric_limits<double>::quiet_NaN();

// How a rank's tensor lies in the whole: the dimension along which it is a part, or one of these.
enum Place : std::int64_t { kWhole = -1, kMissing = -2, kUnrelated = -3 };

std::int64_t place_in(const Tensor& whole, const Tensor& mine, int ranks) {
  if (!mine.defined()) return kMissing;
  if (mine.shape() == whole.shape()) return kWhole;
  if (mine.dim() != whole.dim()) return kUnrelated;
  std::int64_t place = kUnrelated;
  for (int d = 0; d < whole.dim(); ++d) {
    if (mine.size(d) == whole.size(d)) continue;
    if (place != kUnrelated || mine.size(d) * ranks != whole.size(d)) return kUnrelated;
    place = d;
  }
  return place;
}

Tensor part_of(const Tensor& whole, std::int64_t place, const ProcessGroup& group) {
  if (place < 0) return whole;
  const int d = static_cast<int>(place);
  const std::int64_t n = whole.size(d) / group.size();
  return narrow(whole, d, group.rank() * n, n);
}

// The same place on all ranks, apart from those whose tensor is missing.
std::int64_t agreed_place(std::int64_t mine, const ProcessGroup& group) {
  const auto all =
      group.all_gather(from_vector(std::vector<std::int64_t>{mine}, {1}, Device::cpu()));
  std::int64_t place = kMissing;
  for (const std::int64_t p : all.to_vector<std::int64_t>()) {
    if (p == kMissing) continue;
    if (place != kMissing && p != place) return kUnrelated;
    place = p;
  }
  return place;
}

double relative_difference(const Tensor& a, const Tensor& b, const Tensor& whole,
                           const ProcessGroup& group) {
  const auto mine = a.to_vector<double>(), expected = b.to_vector<double>();
  double off = 0, largest = 0;
  for (std::size_t i = 0; i < mine.size(); ++i) {
    const double difference = std::fabs(mine[i] - expected[i]);
    off = std::isfinite(difference) ? std::max(off, difference) : kInfinite;
  }
  for (const double v : whole.to_vector<double>()) largest = std::max(largest, std::fabs(v));
  off = group.all_reduce(from_vector(std::vector<double>{off}, {1}, Device::cpu()), ReduceOp::max)
            .item();
  return off == 0 ? 0 : off / largest;
}

// `whole` is one rank's tensor, `mine` this rank's; where only some ranks' are missing, as
// gradients may be, they count as zeros.
double difference(const Tensor& whole, Tensor mine, const ProcessGroup& group, bool add_up) {
  if (!whole.defined()) {  // nothing should be anywhere, then
    const bool nowhere = agreed_place(mine.defined() ? kWhole : kMissing, group) == kMissing;
    return nowhere ? kNothing : kInfinite;
  }
  const std::int64_t place = agreed_place(place_in(whole, mine, group.size()), group);
  if (place == kUnrelated) return kInfinite;
  if (!mine.defined()) mine = zeros(part_of(whole, place, group).shape(), whole.options());
  if (place == kWhole && add_up) mine = group.all_reduce(mine);
  return relative_difference(mine, part_of(whole, place, group), whole, group);
}

std::unique_ptr<Layer> build(const CpSubject& subject) {
  manual_seed(subject.seed);
  std::unique_ptr<Layer> layer = make_layer(subject.layer, subject.config);
  if (!subject.params.empty()) {
    layer->load_state_dict(subject.params);
    return layer;
  }
  const NoGrad no_grad;
  for (const Tensor& p : layer->parameters()) p.copy_(p + 0.1 * randn(p.shape(), p.options()));
  return layer;
}

// Forward as `group`; the output of the subject itself.
Tensor forward(const CpSubject& subject, CpRun& run, const ProcessGroup& group) {
  Tensor x = shard_sequence(subject.x, subject.shard_dim, group).contiguous().detach();
  if (is_floating(x.dtype())) x.set_requires_grad();
  manual_seed(subject.seed + 1);  // of dropout
  const LayerTrace trace(*run.layer, run.calls);
  return (*run.layer)(x, group);
}

Tensor random_gradient(const CpSubject& subject, const Tensor& output) {
  Generator generator{subject.seed + 2, 0};
  return randn(output.shape(), output.options(), generator);
}

// The innermost layer that has begun and not ended.
std::string at_work(const LayerCalls& calls) {
  std::string name = "no layer";
  for (const auto& call : calls) {
    if (!call->output.defined()) name = call->name.empty() ? "the layer itself" : call->name;
  }
  return name;
}

// The parameters of each call: of its module, and of modules below it that are not called.
std::vector<std::vector<std::size_t>> parameters_of(const CpRun& run) {
  std::vector<std::vector<std::size_t>> result(run.calls.size());
  const auto parameters = run.layer->named_parameters();
  for (std::size_t p = 0; p < parameters.size(); ++p) {
    std::size_t best = 0, length = 0;
    for (std::size_t i = 0; i < run.calls.size(); ++i) {
      const std::string prefix = run.calls[i]->name + ".";
      if (parameters[p].name.starts_with(prefix) && prefix.size() > length) {
        best = i;
        length = prefix.size();
      }
    }
    result[best].push_back(p);
  }
  return result;
}

std::string title(const std::string& name) {
  return name.empty() ? "the layer itself" : name;
}

// Of outputs the first to end, else of gradients the first that a backward pass meets.
std::string find_first(std::vector<LayerDifference> layers, double tolerance) {
  const auto off = [&](double d) { return d > tolerance; };
  for (const LayerDifference& layer : layers) {  // in the order in which they finish
    if (off(layer.output)) return title(layer.name) + ", in its output";
  }
  struct Event {
    int time;
    double difference;
    std::string what;
  };
  std::vector<Event> events;
  for (const LayerDifference& l : layers) {
    const std::string name = title(l.name);
    events.push_back(
        {l.ended, l.grad_output,
         "what uses the output of " + name + ", in the gradient that comes from there"});
    events.push_back({l.began, l.grad_input, name + ", in the gradient of its input"});
    events.push_back({l.began, l.grad_parameters, name + ", in the gradient of " + l.parameter});
  }
  std::stable_sort(events.begin(), events.end(),
                   [](const Event& a, const Event& b) { return a.time > b.time; });
  for (const Event& event : events) {
    if (off(event.difference)) return event.what;
  }
  return "";
}

}  // namespace

CpRun run_alone(const CpSubject& subject) {
  CpRun run{build(subject), {}};
  const Tensor y = forward(subject, run, ProcessGroup());
  y.backward(random_gradient(subject, y));
  return run;
}

CpRun run_on_ranks(const CpSubject& subject, const CpRun& alone, const ProcessGroup& group) {
  CpRun run{build(subject), {}};
  try {
    const Tensor y = forward(subject, run, group);
    const Tensor& whole = alone.calls.at(0)->output;
    const std::int64_t place = agreed_place(place_in(whole, y, group.size()), group);
    if (place == kUnrelated) return run;  // no gradient fits; compare() says so
    const Tensor dy = part_of(random_gradient(subject, whole), place, group).contiguous();
    // What is differentiated is the sum over ranks, so a whole that all have counts once only if
    // each takes its share.
    y.backward(place == kWhole ? dy / static_cast<double>(group.size()) : dy);
  } catch (const CommError&) {
    throw;  // of another rank's failure, or with its own words
  } catch (const Error& error) {
    throw Error(str("on rank ", group.rank(), " of ", group.size(), ", with ", at_work(run.calls),
                    " at work: ", error.what()));
  }
  return run;
}

CpReport compare(const CpRun& alone, const CpRun& mine, const ProcessGroup& group,
                 double tolerance) {
  CpReport report;
  std::int64_t same = 0;  // calls that both make, on the rank that leaves first
  const auto count = static_cast<std::int64_t>(alone.calls.size());
  while (same < std::min<std::int64_t>(count, std::ssize(mine.calls)) &&
         alone.calls[static_cast<std::size_t>(same)]->name ==
             mine.calls[static_cast<std::size_t>(same)]->name) {
    ++same;
  }
  const std::vector<std::int64_t> behind = {count - same, std::ssize(mine.calls) - same};
  const auto most = group.all_reduce(from_vector(behind, {2}, Device::cpu()), ReduceOp::max)
                        .to_vector<std::int64_t>();
  if (most[0] > 0 || most[1] > 0) {
    const std::int64_t i = count - most[0];
    report.first = str(i < count ? title(alone.calls[static_cast<std::size_t>(i)]->name)
                                 : std::string("a further layer"),
                       ", which ", group.size(), " ranks do not call as one rank does");
    return report;
  }
  const auto owned = parameters_of(alone);
  const auto expected = alone.layer->parameters(), got = mine.layer->parameters();
  const auto names = alone.layer->named_parameters();
  for (std::size_t i = 0; i < alone.calls.size(); ++i) {
    const LayerCall &a = *alone.calls[i], &b = *mine.calls[i];
    LayerDifference d{a.name,
                      difference(a.output, b.output, group, false),
                      difference(a.grad_output, b.grad_output, group, true),
                      difference(a.grad_input, b.grad_input, group, true),
                      kNothing,
                      "",
                      a.began,
                      a.ended};
    for (const std::size_t p : owned[i]) {
      const double off = difference(expected[p].grad(), got[p].grad(), group, true);
      if (!std::isnan(d.grad_parameters) && !(off > d.grad_parameters)) continue;
      d.grad_parameters = off;
      d.parameter = names[p].name.substr(a.name.empty() ? 0 : a.name.size() + 1);
    }
    report.layers.push_back(d);
  }
  std::sort(report.layers.begin(), report.layers.end(),
            [](const LayerDifference& a, const LayerDifference& b) { return a.ended < b.ended; });
  report.first = find_first(report.layers, tolerance);
  return report;
}

}  // namespace crocuta
