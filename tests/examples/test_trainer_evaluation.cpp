#include <algorithm>
#include <cstdint>
#include <utility>

#include "framework/ops/ops.h"
#include "tests/examples/tiny_run.h"
#include "tests/support/catch.h"

namespace crocuta::test {

using hyena::Options;

TEST_CASE("an evaluation of some windows takes them from all over the held-out part") {
  Options o = tiny_options();
  o.model.dtype = DType::float64;
  o.batch_size = 3;
  TinyRun run(o);
  run.train(3);
  REQUIRE(run.task->test_rows() == 16);
  // The loss of one window, by the model itself.
  HyenaLM& model = run.trainer.model();
  const auto loss_of = [&](std::int64_t row) {
    const NoGrad no_grad;
    model.eval();
    hyena::Batch batch = run.task->test_batch(row, 1);
    for (std::int64_t& target : batch.targets) {
      if (target != hyena::kIgnored) target -= model.predicted().first;
    }
    const Tensor loss = cross_entropy(model.forward(from_vector(batch.ids, {1, batch.length})),
                                      from_vector(batch.targets, {1, batch.length}),
                                      {.ignore_index = hyena::kIgnored, .divisor = 1});
    return std::pair(loss.item(), static_cast<double>(batch.scored()));
  };
  for (const std::int64_t rows : {1, 4, 5, 16, 99}) {
    double nats = 0, scored = 0;
    const std::int64_t taken = std::min<std::int64_t>(rows, 16);
    for (std::int64_t i = 0; i < taken; ++i) {
      const auto [loss, count] = loss_of(i * 16 / taken);
      nats += loss;
      scored += count;
    }
    CAPTURE(rows);
    CHECK(run.trainer.evaluate(rows).nats == Approx(nats / scored).epsilon(1e-12));
  }
}

TEST_CASE("evaluation changes nothing in the run") {
  Options o = tiny_options();
  o.model.dropout = 0.2;
  const auto run = [&](bool evaluate) {
    TinyRun tiny(o);
    tiny.train(3);
    if (evaluate) {
      tiny.trainer.evaluate(16);
      tiny.trainer.evaluate(7);
    }
    const std::vector<double> losses = tiny.train(3);
    return std::pair(losses, tiny.state());
  };
  CHECK(run(true) == run(false));
}

TEST_CASE("evaluation does not depend on the number of ranks") {
  Options o = tiny_options();
  o.model.dtype = DType::float64;
  const hyena::Evaluation one = TinyRun(o).trainer.evaluate(11);
  o.cp = 2;
  run_ranks(4, [&](const ProcessGroup& world) {
    const hyena::Evaluation four = TinyRun(o, world).trainer.evaluate(11);
    if (world.rank() != 0) return;
    CHECK(four.scored == 11);
    CHECK(four.accuracy == one.accuracy);
    CHECK(four.nats == Approx(one.nats).epsilon(1e-11));
  });
}

}  // namespace crocuta::test
