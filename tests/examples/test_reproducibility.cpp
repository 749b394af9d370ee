// Long runs, repeated bit for bit at any number of threads.
#include "framework/device/threads.h"
#include "tests/examples/tiny_run.h"
#include "tests/support/catch.h"
#include "tests/support/slow.h"

namespace crocuta::test {
namespace {

using hyena::Options;

// Large enough for the kernels to use several threads.
Options threaded_options() {
  Options o = tiny_options();
  o.symbols = 20;
  o.seq_len = 62;
  o.model.d_model = 48;
  o.batch_size = 8;
  o.model.dropout = 0.1;
  return o;
}

}  // namespace

TEST_CASE("ten runs of 500 steps are one and the same, on 1, 2 and 4 threads") {
  const int runs = slow_here() ? 3 : 10;
  const std::int64_t steps = repetitions(500, 3);
  Options o = threaded_options();
  o.steps = o.schedule_steps = steps;
  std::vector<double> losses;
  std::string state;
  for (int i = 0; i < runs; ++i) {
    const NumThreads threads(1 << i % 3);
    TinyRun run(o);
    const std::vector<double> mine = run.train(steps);
    if (i == 0) {
      losses = mine;
      state = run.state();
    }
    CAPTURE(i);
    CHECK(mine == losses);
    CHECK(run.state() == state);
  }
}

}  // namespace crocuta::test
