#include "framework/nn/schedule.h"

#include "tests/support/catch.h"
#include "tests/support/check_op.h"

using namespace crocuta;
using namespace crocuta::test;

TEST_CASE("the rate rises linearly, falls along a cosine, and stays at its floor") {
  const CosineSchedule rate{.peak = 1, .floor = 0.2, .warmup_steps = 4, .total_steps = 12};
  CHECK(rate(0) == 0.25);
  CHECK(rate(1) == 0.5);
  CHECK(rate(3) == 1);
  CHECK(rate(4) == 1);
  CHECK(rate(6) == Approx(0.2 + 0.8 * (1 + 0.7071067811865476) / 2));
  CHECK(rate(8) == Approx(0.6));
  CHECK(rate(12) == 0.2);
  CHECK(rate(1000) == 0.2);
  for (int step = 4; step < 12; ++step) CHECK(rate(step + 1) < rate(step));
}

TEST_CASE("a schedule without warm-up starts at its peak, one of warm-up alone ends there") {
  CHECK(CosineSchedule{.peak = 2, .total_steps = 10}(0) == 2);
  const CosineSchedule rising{.peak = 2, .floor = 0.5, .warmup_steps = 10, .total_steps = 10};
  CHECK(rising(9) == 2);
  CHECK(rising(10) == 0.5);
  CHECK(CosineSchedule{.peak = 2, .total_steps = 0}(0) == 0);
}

TEST_CASE("a schedule whose numbers contradict each other says so") {
  const auto error = [](const CosineSchedule& schedule, std::int64_t step = 0) {
    return message_of<ArgumentError>([&] { schedule(step); });
  };
  CHECK(error({.peak = 1, .floor = 2}) ==
        "CosineSchedule: 'floor': expected from 0 to the peak of 1, got 2");
  CHECK(error({.warmup_steps = 5, .total_steps = 4}) ==
        "CosineSchedule: 'warmup_steps': expected from 0 to the total of 4, got 5");
  CHECK(error({}, -1) == "CosineSchedule: 'step': expected 0 or more, got -1");
}
