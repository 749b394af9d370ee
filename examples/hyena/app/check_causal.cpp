#include "examples/hyena/app/check_causal.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <optional>
#include <set>

#include "examples/hyena/app/agreement.h"
#include "examples/hyena/app/console.h"
#include "examples/hyena/app/format.h"
#include "examples/hyena/app/together.h"
#include "examples/hyena/trainer.h"
#include "framework/base/log.h"
#include "layers/inspect/causality.h"

namespace crocuta::hyena {
namespace {

constexpr std::int64_t kRows = 2;  // sequences: all activations of two passes are kept

// Every token from `cut` on becomes another one.
Batch with_other_future(const Batch& batch, std::int64_t cut, std::int64_t vocabulary) {
  Batch changed = batch;
  for (std::int64_t i = 0; i < batch.rows * batch.length; ++i) {
    if (i % batch.length < cut) continue;
    std::int64_t& id = changed.ids[static_cast<std::size_t>(i)];
    id = (id + 1 + i % (vocabulary - 1)) % vocabulary;
  }
  return changed;
}

std::string figure(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1e", value);
  return text;
}

}  // namespace

int run_causality_check(const ProcessGroup& world, const RunPlan& plan) {
  const Options& options = plan.options;
  const ParallelContext parallel = make_parallel(world, static_cast<int>(options.cp));
  const ProcessGroup& cp = parallel.context_parallel;
  const std::unique_ptr<Task> task = make_same_task(world, options);
  std::optional<Trainer> trainer;
  together(world, [&] {
    trainer.emplace(options, *task, parallel);
    if (plan.checkpoint) trainer->restore(*plan.checkpoint);
  });
  trainer->check_ranks_agree();
  HyenaLM& model = trainer->model();
  const Device device = model.options().hyena.device;
  const Batch batch = task->train_batch(0, std::min(kRows, options.batch_size));
  const std::int64_t length = batch.length, chunk = length / cp.size();
  const auto local = [&](const Batch& whole) {
    const Batch mine = whole.part(0, whole.rows, chunk * cp.rank(), chunk * (cp.rank() + 1));
    return from_vector(mine.ids, {mine.rows, mine.length}, device);
  };

  const double tolerance = causality_tolerance(options.model.dtype);
  double output = 0, gradient = 0;
  std::string first, cuts;
  for (const std::int64_t cut : std::set<std::int64_t>{1, length / 4, length / 2, length - 1}) {
    if (cut < 1 || cut >= length) continue;
    const Batch changed = with_other_future(batch, cut, task->codec().vocabulary());
    const CausalityReport report =
        check_causality(model, local(batch), local(changed), cut, tolerance, cp);
    output = std::fmax(output, report.worst_output());
    gradient = std::fmax(gradient, report.worst_gradient());
    if (first.empty() && !report.first.empty()) {
      first = str(report.first, " when tokens change from position ", cut, " on");
    }
    cuts += str(cuts.empty() ? "" : ", ", cut);
  }
  if (world.rank() != 0) return first.empty() ? 0 : kExitRuntime;
  Console console(false);
  console.line(str("Causality of HyenaLM, ", options.model.dtype, " on ", device));
  console.line(str("  ", counted(batch.rows, "sequence"), " of ", counted(length, "token"),
                   ", changed from positions ", cuts, " on"));
  console.line(str("  earlier outputs move by at most ", figure(output), ", gradients by ",
                   figure(gradient)));
  console.line(str("  of the largest; rounding may take ", figure(tolerance)));
  if (first.empty()) {
    console.line("The model does not look ahead.");
    return console.failed() ? kExitRuntime : 0;
  }
  log_error("the model looks ahead: " + first);
  return kExitRuntime;
}

}  // namespace crocuta::hyena
