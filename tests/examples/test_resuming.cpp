// Runs that are stopped anywhere and resumed are the run that never stopped, bit for bit.
#include <map>
#include <random>
#include <set>

#include "framework/tensor/random.h"
#include "tests/examples/tiny_run.h"
#include "tests/support/catch.h"
#include "tests/support/slow.h"
#include "tests/support/temporary_directory.h"

namespace crocuta::test {
namespace {

using hyena::Options;

Options dropping_options() {
  Options o = tiny_options();
  o.model.dropout = 0.2;  // so that random state matters too
  return o;
}

// Stops a run on `cp` ranks at `count` random steps before `last_stop`, and resumes it each time.
// One in `whole_in` runs on to the end; the others run to the next stop, where they must have
// become what was saved there, which is resumed in its turn.
void check_stops(int cp, std::int64_t count, std::int64_t last_stop, std::int64_t steps,
                 int whole_in) {
  CAPTURE(cp, count, steps);
  const TemporaryDirectory folder;
  Options o = dropping_options();
  o.cp = cp;
  o.steps = o.schedule_steps = steps;
  std::mt19937_64 engine(static_cast<std::uint64_t>(cp));
  std::set<std::int64_t> stops{0, last_stop - 1};
  while (std::ssize(stops) < count) {
    stops.insert(static_cast<std::int64_t>(engine() % static_cast<std::uint64_t>(last_stop)));
  }

  std::vector<double> losses;  // of the run that is never stopped; of rank 0, as all that follows
  std::map<std::int64_t, std::string> states;  // after so many steps
  run_ranks(cp, [&](const ProcessGroup& world) {
    TinyRun whole(o, world);
    for (std::int64_t step = 0; step < steps; ++step) {
      if (world.rank() == 0 && stops.contains(step)) {
        CheckpointStore(folder.path(std::to_string(step))).save(whole.trainer.contents());
        states[step] = whole.state();
      }
      const double loss = whole.trainer.step().loss;
      if (world.rank() == 0) losses.push_back(loss);
    }
    if (world.rank() == 0) states[steps] = whole.state();
  });

  int resumed_runs = 0;
  for (const std::int64_t stop : stops) {
    const std::int64_t end =
        resumed_runs++ % whole_in == 0 ? steps : states.upper_bound(stop)->first;
    CAPTURE(stop, end);
    const Checkpoint checkpoint = load_latest(folder.path(std::to_string(stop))).value();
    std::vector<double> resumed;
    std::string resumed_state;
    run_ranks(cp, [&](const ProcessGroup& world) {
      TinyRun run(o, world);
      default_generator() = {99, 99};  // whatever was there before
      run.trainer.restore(checkpoint);
      const std::vector<double> mine = run.train(end - stop);
      if (world.rank() != 0) return;
      resumed = mine;
      resumed_state = run.state();
    });
    CHECK(resumed == std::vector<double>(losses.begin() + stop, losses.begin() + end));
    CHECK(resumed_state == states.at(end));
  }
}

}  // namespace

TEST_CASE("a run stopped at any of 100 steps and resumed is the run that never stopped") {
  check_stops(1, repetitions(100, 3), slow_here() ? 10 : 150, slow_here() ? 12 : 160, 10);
}

TEST_CASE("so it is over 1,000 further steps") {
  check_stops(1, 3, slow_here() ? 10 : 100, slow_here() ? 15 : 1100, 1);
}

TEST_CASE("so it is on 2 and 4 ranks") {
  for (const int cp : {2, 4}) {
    check_stops(cp, repetitions(40, 2), slow_here() ? 5 : 150, slow_here() ? 6 : 160, 10);
  }
}

}  // namespace crocuta::test
