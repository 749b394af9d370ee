// The engine's warp operations, and its words for what goes wrong.
#include <algorithm>
#include <bit>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "emulation/engine.h"

namespace crocuta::emulation {
namespace {

std::string hex(unsigned mask) {
  char digits[16];
  std::snprintf(digits, sizeof digits, "0x%08x", mask);
  return digits;
}

// The lane that `lane` reads from, or itself if that is beyond its group of `width` lanes.
int source_lane(Shuffle kind, int lane, int operand, int width) {
  const int first = lane & ~(width - 1);
  const auto by = static_cast<std::uint32_t>(operand);
  switch (kind) {
    case Shuffle::idx:
      return first | static_cast<int>(by & static_cast<unsigned>(width - 1));
    case Shuffle::up:
      return by <= static_cast<std::uint32_t>(lane - first) ? lane - operand : lane;
    case Shuffle::down:
      return by < static_cast<std::uint32_t>(first + width - lane) ? lane + operand : lane;
    case Shuffle::exchange: {
      const std::uint32_t source = static_cast<std::uint32_t>(lane) ^ by;
      return source < static_cast<std::uint32_t>(first + width) ? static_cast<int>(source) : lane;
    }
    case Shuffle::ballot:
      break;
  }
  return lane;
}

}  // namespace

std::string text(Site site) {
  return std::string(site.file) + ":" + std::to_string(site.line);
}
std::string text(uint3 index) {
  char digits[48];
  std::snprintf(digits, sizeof digits, "(%u,%u,%u)", index.x, index.y, index.z);
  return digits;
}

std::uint64_t Engine::shuffle(Shuffle kind, unsigned mask, std::uint64_t value, int operand,
                              int width, Site site) {
  const int thread = current_->thread;
  const int w = thread / kWarp, lane = thread % kWarp;
  Lane& mine = lanes_[static_cast<std::size_t>(thread)];
  mine = {kind, mask, operand, width, value, value, site};
  if (!valid_lanes(w, lane)) fault_of_lanes(w, lane);
  Warp& warp = warps_[static_cast<std::size_t>(w)];
  warp.waiting |= 1u << lane;
  suspended_[static_cast<std::size_t>(thread)] = current_;
  if ((warp.waiting & mask) == mask) finish_shuffle(w, mask);
  suspend();
  return mine.result;
}

// Whether the lanes of the mask can all take part, as far as is known yet.
bool Engine::valid_lanes(int w, int lane) const {
  const Lane* lanes = &lanes_[static_cast<std::size_t>(w * kWarp)];
  const Lane& mine = lanes[lane];
  const Warp& warp = warps_[static_cast<std::size_t>(w)];
  if (mine.width < 1 || mine.width > kWarp || (mine.width & (mine.width - 1)) != 0) return false;
  if ((mine.mask >> lane & 1) == 0 || (mine.mask & (warp.exited | ~warp.lanes)) != 0) return false;
  const unsigned others = mine.mask & warp.waiting;
  if (others == 0) return true;
  const Lane& other = lanes[std::countr_zero(others)];
  return other.mask == mine.mask && other.kind == mine.kind && same(other.site, mine.site);
}

// What they cannot for.
void Engine::fault_of_lanes(int w, int lane) {
  const Lane& mine = lanes_[static_cast<std::size_t>(w * kWarp + lane)];
  const Warp& warp = warps_[static_cast<std::size_t>(w)];
  const auto complain = [&](const std::string& what) {
    fault("the warp operation at " + text(mine.site) + " with mask " + hex(mine.mask) + " " + what);
  };
  if (mine.width < 1 || mine.width > kWarp || (mine.width & (mine.width - 1)) != 0) {
    complain("has a width of " + std::to_string(mine.width));
  }
  if ((mine.mask >> lane & 1) == 0) complain("leaves out the lane that calls it");
  if (const unsigned missing = mine.mask & ~warp.lanes; missing != 0) {
    complain("names lane " + std::to_string(std::countr_zero(missing)) + " of a warp that has " +
             std::to_string(std::popcount(warp.lanes)) + " lanes");
  }
  if (const unsigned gone = mine.mask & warp.exited; gone != 0) {
    complain("waits for lane " + std::to_string(std::countr_zero(gone)) +
             ", which has returned from the kernel");
  }
  const int other = std::countr_zero(mine.mask & warp.waiting);
  const Lane& theirs = lanes_[static_cast<std::size_t>(w * kWarp + other)];
  complain("meets lane " + std::to_string(other) + ", which is at " + text(theirs.site) +
           " with mask " + hex(theirs.mask));
  std::abort();  // complain never returns
}

// All lanes of the mask wait: gives each its result, and lets them go on.
void Engine::finish_shuffle(int w, unsigned mask) {
  Warp& warp = warps_[static_cast<std::size_t>(w)];
  warp.waiting &= ~mask;
  Lane* lanes = &lanes_[static_cast<std::size_t>(w * kWarp)];
  const bool first = warp_by_warp_ || (random_.next() & 1) != 0;
  const unsigned order = random_.next();
  for (unsigned i = 0; i < unsigned(kWarp); ++i) {
    const unsigned lane = (i ^ order) % kWarp;
    if ((mask >> lane & 1) == 0) continue;
    lanes[lane].result = gathered(w, static_cast<int>(lane), mask);
    Worker* worker = suspended_[static_cast<std::size_t>(w * kWarp) + lane];
    if (first) {
      ready_.push_front(worker);
    } else {
      ready_.push_back(worker);
    }
  }
}

std::uint64_t Engine::gathered(int w, int lane, std::uint64_t mask) {
  const Lane* lanes = &lanes_[static_cast<std::size_t>(w * kWarp)];
  const Lane& mine = lanes[lane];
  if (mine.kind == Shuffle::ballot) {
    std::uint64_t bits = 0;
    for (int i = 0; i < kWarp; ++i) {
      if ((mask >> i & 1) != 0 && lanes[i].value != 0) bits |= std::uint64_t{1} << i;
    }
    return bits;
  }
  const int source = source_lane(mine.kind, lane, mine.operand, mine.width);
  if ((mask >> source & 1) == 0) {
    fail(w * kWarp + lane, "the shuffle at " + text(mine.site) + " reads lane " +
                               std::to_string(source) + ", which its mask " + hex(mine.mask) +
                               " leaves out");
    return 0;
  }
  return lanes[source].value;
}

// A thread has returned from the kernel: may it, with others waiting?
void Engine::check_exit(int thread) {
  if (at_barrier_ > 0) {
    fail(thread, "returns from the kernel while " + place(first_at_barrier_) +
                     " waits at the barrier at " + text(barrier_site_));
    return;
  }
  const int w = thread / kWarp;
  for (unsigned rest = warps_[static_cast<std::size_t>(w)].waiting; rest != 0; rest &= rest - 1) {
    const Lane& other = lanes_[static_cast<std::size_t>(w * kWarp + std::countr_zero(rest))];
    if ((other.mask >> (thread % kWarp) & 1) == 0) continue;
    fail(thread, "returns from the kernel while lane " + std::to_string(std::countr_zero(rest)) +
                     " waits for it at " + text(other.site) + " with mask " + hex(other.mask));
    return;
  }
}

void Engine::fail_deadlock() {
  for (int thread = 0; thread < threads_; ++thread) {
    const int w = thread / kWarp;
    const Warp& warp = warps_[static_cast<std::size_t>(w)];
    if ((warp.waiting >> (thread % kWarp) & 1) == 0) continue;
    const Lane& lane = lanes_[static_cast<std::size_t>(thread)];
    const unsigned missing = lane.mask & ~warp.waiting;
    fail(thread, "waits forever at " + text(lane.site) + " for lanes " + hex(missing) +
                     " of its warp" +
                     (at_barrier_ > 0 ? ", while " + place(first_at_barrier_) +
                                            " waits at the barrier at " + text(barrier_site_)
                                      : std::string()));
    return;
  }
  fail(first_at_barrier_, "waits forever at the barrier at " + text(barrier_site_));
}

std::string Engine::place(int thread) const {
  std::string place = "thread ";
  return place += text(index_of(thread));
}

void Engine::fail(int thread, const std::string& what, cudaError_t error) {
  ready_.clear();
  if (failed_) return;
  failed_ = true;
  failure_.error = error;
  failure_.text = std::string("kernel '") + launch_->name + "', block " + text(blockIdx) +
                  (thread < 0 ? "" : ", " + place(thread)) + ": " + what;
}
void Engine::fault(const std::string& what, cudaError_t error) {
  fail(current_->thread, what, error);
  throw Abandoned{};
}

}  // namespace crocuta::emulation
