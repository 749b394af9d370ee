#include "examples/hyena/app/agreement.h"

#include "examples/hyena/app/together.h"
#include "framework/base/sha256.h"
#include "framework/base/version.h"

namespace crocuta::hyena {
namespace {

// A checkpoint by its contents: two ranks may see it under two names, and other ones under one.
Fact describe(const char* what, const std::optional<Checkpoint>& checkpoint) {
  if (!checkpoint) return {what, "none"};
  std::string sums;
  for (const auto& [name, file] : checkpoint->files) sums += name + file.sha256;
  const std::string sum = sha256_hex(sums);
  return {what, sum,
          str(printable(checkpoint->directory), " of SHA-256 ", sum.substr(0, 16), "...")};
}

// A setting as it will be in effect.
std::string in_effect(const std::string& key, const std::string& value, const Options& options) {
  if (key == "device") return parse_device(options.device).is_cuda() ? "cuda" : "cpu";
  if (key != "check_collectives" || options.check_collectives) return value;
  return CommOptions::check_collectives_by_default() ? "true (by the environment)" : "false";
}

}  // namespace

void require_same_plan(const ProcessGroup& world, const RunPlan& plan) {
  std::vector<Fact> facts = {{"version of Crocuta", std::string(version())}};
  for (const auto& [key, value] : shared_options(plan.options)) {
    facts.push_back({key, in_effect(key, value, plan.options)});
  }
  facts.push_back(describe("checkpoint", plan.checkpoint));
  facts.push_back(describe("--init-from", plan.initial));
  const std::string different = disagreement(facts, world);
  if (!different.empty()) throw ArgumentError(different);
}

std::unique_ptr<Task> make_same_task(const ProcessGroup& world, const Options& options) {
  std::unique_ptr<Task> task;
  together(world, [&] { task = make_task(options); });
  const std::string different = disagreement(task->data_facts(), world);
  if (!different.empty()) throw SharedFailure(different, kExitRuntime);
  return task;
}

}  // namespace crocuta::hyena
