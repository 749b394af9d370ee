// Learning rates over time.
#pragma once

#include <cstdint>

namespace crocuta {

// Rises linearly to `peak` over the first warmup_steps steps, then falls along half a cosine to
// `floor`, reached at total_steps and kept from there on.
struct CosineSchedule {
  double peak = 1e-3;
  double floor = 0;
  std::int64_t warmup_steps = 0;
  std::int64_t total_steps = 1;

  // The rate for step 0, 1, 2, ...: peak (step + 1) / warmup_steps during warm-up. Throws
  // ArgumentError unless 0 <= floor <= peak and 0 <= warmup_steps <= total_steps.
  double operator()(std::int64_t step) const;
};

}  // namespace crocuta
