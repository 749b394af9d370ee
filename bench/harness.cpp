#include "bench/harness.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <fstream>

#include "framework/allocator.h"
#include "framework/error.h"
#include "kernels/cpu/parallel.h"

namespace crocuta::bench {
namespace {

double seconds_of(const std::function<void()>& run, int calls) {
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < calls; ++i) run();
  const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
  return taken.count() / calls;
}

}  // namespace

std::vector<Timing> compare(const std::vector<Candidate>& candidates, int rounds, double seconds) {
  std::vector<std::vector<double>> times(candidates.size());
  std::vector<int> calls;
  for (const Candidate& candidate : candidates) {
    candidate.run();
    const double once = std::min(seconds_of(candidate.run, 1), seconds_of(candidate.run, 1));
    calls.push_back(std::clamp(static_cast<int>(std::ceil(seconds / once)), 1, 100000));
  }
  for (int round = 0; round < rounds; ++round) {
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      times[i].push_back(seconds_of(candidates[i].run, calls[i]));
    }
  }
  std::vector<Timing> timings;
  for (std::vector<double>& t : times) {
    std::sort(t.begin(), t.end());
    const double median = t[t.size() / 2];
    timings.push_back({median, (t.back() - t.front()) / median});
  }
  return timings;
}

Buffer::Buffer(std::size_t floats)
    : data_(static_cast<float*>(allocate(Device::cpu(), floats * sizeof(float)))), floats_(floats) {
  kernels::parallel_for(static_cast<std::int64_t>(floats), 1 << 16,
                        [&](std::int64_t begin, std::int64_t end) {
                          for (std::int64_t i = begin; i < end; ++i) {
                            data_[i] = static_cast<float>(i * 7919 % 2001) / 1000.0f - 1.0f;
                          }
                        });
}
Buffer::~Buffer() {
  deallocate(Device::cpu(), data_, floats_ * sizeof(float));
}

std::string machine() {
  std::ifstream cpuinfo("/proc/cpuinfo");
  std::string line, model = "unknown CPU";
  while (std::getline(cpuinfo, line)) {
    if (line.starts_with("model name")) {
      model = line.substr(line.find(':') + 2);
      break;
    }
  }
  return str(model, ", ", kernels::thread_count(), " threads");
}

}  // namespace crocuta::bench
