#include "framework/nn/schedule.h"

#include <cmath>
#include <numbers>

#include "framework/base/error.h"

namespace crocuta {

double CosineSchedule::operator()(std::int64_t step) const {
  if (!(floor >= 0 && floor <= peak) || !std::isfinite(peak)) {
    fail<ArgumentError>("CosineSchedule", "floor", str("from 0 to the peak of ", peak), str(floor));
  }
  if (warmup_steps < 0 || warmup_steps > total_steps) {
    fail<ArgumentError>("CosineSchedule", "warmup_steps",
                        str("from 0 to the total of ", total_steps), str(warmup_steps));
  }
  if (step < 0) fail<ArgumentError>("CosineSchedule", "step", "0 or more", str(step));
  const auto ratio = [](std::int64_t a, std::int64_t b) {
    return static_cast<double>(a) / static_cast<double>(b);
  };
  if (step < warmup_steps) return peak * ratio(step + 1, warmup_steps);
  if (step >= total_steps) return floor;
  const double progress = ratio(step - warmup_steps, total_steps - warmup_steps);
  return floor + (peak - floor) * (1 + std::cos(std::numbers::pi * progress)) / 2;
}

}  // namespace crocuta
