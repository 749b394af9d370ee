// Random integers that are a pure function of (seed, stream): for data that must come out the same
// wherever a run resumes and however many ranks share it.
#pragma once

#include <cstdint>

#include "kernels/philox.h"

namespace crocuta::hyena {

// What the streams are for; the upper bits keep them apart from each other and from the streams
// that initialise parameters.
enum class Purpose : std::uint64_t { recall_train = 1, recall_test, recall_order, window, decode };

class Draws {
 public:
  Draws(std::uint64_t seed, Purpose purpose, std::uint64_t index)
      : seed_(seed), stream_((static_cast<std::uint64_t>(purpose) << 56) | index) {}

  // Uniform in [0, bound), without bias: numbers in the incomplete last stretch of 2^64 are drawn
  // again. bound >= 1.
  std::uint64_t below(std::uint64_t bound) {
    const std::uint64_t tail = (UINT64_MAX % bound + 1) % bound;  // 2^64 mod bound
    for (;;) {
      const std::uint64_t high = kernels::philox(seed_, stream_, next_++);
      const std::uint64_t low = kernels::philox(seed_, stream_, next_++);
      const std::uint64_t bits = high << 32 | low;
      if (bits <= UINT64_MAX - tail) return bits % bound;
    }
  }

 private:
  std::uint64_t seed_, stream_;
  std::uint64_t next_ = 0;
};

}  // namespace crocuta::hyena
