// Long runs, bit for bit: repeated at any number of threads, and stopped and resumed anywhere.
#include <algorithm>
#include <random>
#include <set>

#include "framework/random.h"
#include "framework/threads.h"
#include "tests/examples/tiny_run.h"
#include "tests/support/catch.h"
#include "tests/support/slow.h"
#include "tests/support/temporary_directory.h"

namespace crocuta::test {
namespace {

using hyena::Options;

// Large enough for the kernels to use several threads.
Options threaded_options() {
  Options o = tiny_options();
  o.symbols = 20;
  o.seq_len = 62;
  o.d_model = 48;
  o.batch_size = 8;
  o.dropout = 0.1;
  return o;
}

Options dropping_options() {
  Options o = tiny_options();
  o.dropout = 0.2;  // so that random state matters too
  return o;
}

// Stops a run on `cp` ranks at `count` random steps before `last_stop`, and resumes it each time.
void check_stops(int cp, std::size_t count, std::int64_t last_stop, std::int64_t steps) {
  CAPTURE(cp, count, steps);
  const TemporaryDirectory folder;
  Options o = dropping_options();
  o.cp = cp;
  o.steps = o.schedule_steps = steps;
  std::mt19937_64 engine(static_cast<std::uint64_t>(cp));
  std::set<std::int64_t> stops{0, last_stop - 1};
  while (stops.size() < count) {
    stops.insert(static_cast<std::int64_t>(engine() % static_cast<std::uint64_t>(last_stop)));
  }

  std::vector<double> losses;  // of the run that is never stopped; of rank 0, as all that follows
  std::string state;
  run_ranks(cp, [&](const ProcessGroup& world) {
    TinyRun whole(o, world);
    for (std::int64_t step = 0; step < steps; ++step) {
      if (world.rank() == 0 && stops.contains(step)) {
        CheckpointStore(folder.path(std::to_string(step))).save(whole.trainer.contents());
      }
      const double loss = whole.trainer.step().loss;
      if (world.rank() == 0) losses.push_back(loss);
    }
    if (world.rank() == 0) state = whole.state();
  });

  for (const std::int64_t stop : stops) {
    CAPTURE(stop);
    const Checkpoint checkpoint = load_latest(folder.path(std::to_string(stop))).value();
    std::vector<double> resumed;
    std::string resumed_state;
    run_ranks(cp, [&](const ProcessGroup& world) {
      TinyRun run(o, world);
      default_generator() = {99, 99};  // whatever was there before
      run.trainer.restore(checkpoint);
      const std::vector<double> mine = run.train(steps - stop);
      if (world.rank() != 0) return;
      resumed = mine;
      resumed_state = run.state();
    });
    CHECK(resumed == std::vector<double>(losses.begin() + stop, losses.end()));
    CHECK(resumed_state == state);
  }
}

}  // namespace

TEST_CASE("ten runs of 500 steps are one and the same, on 1, 2 and 4 threads") {
  const int runs = slow_here() ? 3 : 10;
  const std::int64_t steps = slow_here() ? 3 : 500;
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

TEST_CASE("a run stopped at any of 100 steps and resumed is the run that never stopped") {
  check_stops(1, slow_here() ? 3 : 100, slow_here() ? 10 : 150, slow_here() ? 12 : 160);
}

TEST_CASE("so it is over 1,000 further steps") {
  check_stops(1, 3, slow_here() ? 10 : 100, slow_here() ? 15 : 1100);
}

TEST_CASE("so it is on 2 and 4 ranks") {
  for (const int cp : {2, 4}) {
    check_stops(cp, slow_here() ? 2 : 40, slow_here() ? 5 : 150, slow_here() ? 6 : 160);
  }
}

}  // namespace crocuta::test
