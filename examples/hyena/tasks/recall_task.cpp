#include <cstdio>

#include "examples/hyena/app/format.h"
#include "examples/hyena/data/recall.h"
#include "examples/hyena/tasks/tasks.h"
#include "framework/base/error.h"

namespace crocuta::hyena {
namespace {

class RecallTask : public Task {
 public:
  RecallTask(const Options& options, const RecallOptions& recall)
      : Task(make_codec("recall", options.symbols), model_length(options)), recall_(recall) {}

  std::int64_t test_rows() const override { return recall_.options().test_sequences; }

  void prepare(const ProcessGroup& /*world*/) override {}
  std::vector<std::string> introduce() const override {
    const RecallOptions& o = recall_.options();
    const std::string train = o.train_sequences > 0
                                  ? counted(o.train_sequences, "sequence") + ", again and again"
                                  : std::string("fresh sequences for ever");
    return {str("Associative recall: ", recall_.keys(), " keys (", codec().decode({1}), ", ",
                codec().decode({2}), ", ...), ", recall_.values(), " values (",
                codec().decode({1 + recall_.keys()}), ", ", codec().decode({2 + recall_.keys()}),
                ", ...), ", counted(o.context / 2, "pair"),
                ", then a question. Chance: ", percent(chance())),
            str("Training on ", train, "; testing the answer on ",
                counted(o.test_sequences, "sequence"), " that training never sees.")};
  }

  std::string loss(double nats) const override { return "loss " + fixed(nats, 4); }
  std::string report(const Evaluation& result) const override {
    return str("held-out accuracy ", percent(result.accuracy), " (chance ", percent(chance()),
               "), ", loss(result.nats));
  }
  void report(const Evaluation& result, JsonLine& line) const override {
    line.add("accuracy", result.accuracy).add("chance", chance());
  }
  std::vector<std::string> conclude(const Evaluation& result) const override {
    return {str("Held-out accuracy: ", percent(result.accuracy), " (chance ", percent(chance()),
                "), of ", counted(result.scored, "sequence"), " not trained on.")};
  }

 private:
  double chance() const { return 1.0 / static_cast<double>(recall_.values()); }

  // Inputs are all symbols but the answer, filled up with "." (id 0).
  void train_row(std::int64_t i, std::int64_t* ids, std::int64_t* targets) override {
    const std::vector<std::int64_t> sequence = recall_.train(i);
    for (std::size_t t = 0; t + 1 < sequence.size(); ++t) {
      ids[t] = sequence[t];
      targets[t] = sequence[t + 1];
    }
  }
  // Only the answer counts: the other symbols are random, and cannot be known.
  void test_row(std::int64_t i, std::int64_t* ids, std::int64_t* targets) const override {
    const std::vector<std::int64_t>& sequence = recall_.test(i);
    for (std::size_t t = 0; t + 1 < sequence.size(); ++t) ids[t] = sequence[t];
    targets[sequence.size() - 2] = sequence.back();
  }

  Recall recall_;
};

}  // namespace

std::unique_ptr<Task> make_recall_task(const Options& options) {
  return std::make_unique<RecallTask>(
      options, RecallOptions{.symbols = options.symbols,
                             .context = options.seq_len,
                             .seed = static_cast<std::uint64_t>(options.seed),
                             .train_sequences = options.train_sequences,
                             .test_sequences = options.test_sequences});
}

}  // namespace crocuta::hyena
