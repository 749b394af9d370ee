#include "bench/harness.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "framework/base/error.h"
#include "framework/device/allocator.h"
#include "kernels/cpu/parallel.h"
#if defined(CROCUTA_WITH_CUDA)
#include "kernels/cuda/toolbox/device.h"
#endif

namespace crocuta::bench {
namespace {

// A table that could not be written is no result.
struct OutputCheck {
  ~OutputCheck() {
    if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return;
    std::fputs("error: standard output: cannot write\n", stderr);
    std::_Exit(1);
  }
} output_check;

double seconds_of(const std::function<void()>& run, int calls, Device device) {
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < calls; ++i) run();
  synchronize(device);
  const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
  return taken.count() / calls;
}

std::string gpu(Device device) {
#if defined(CROCUTA_WITH_CUDA)
  cudaDeviceProp p = {};
  kernels::check_cuda(cudaGetDeviceProperties(&p, device.index), "cudaGetDeviceProperties");
  return str(p.name, ", ", p.multiProcessorCount, " multiprocessors, ", p.l2CacheSize >> 20,
             " MiB L2", is_emulated() ? "; EMULATED: the times mean nothing" : "");
#else
  return name(device);
#endif
}

}  // namespace

bool is_emulated() {
#if defined(CROCUTA_CUDA_EMULATED)
  return true;
#else
  return false;
#endif
}

std::vector<Timing> compare(const std::vector<Candidate>& candidates, int rounds, double seconds,
                            Device device) {
  if (device.is_cuda() && is_emulated()) rounds = 1, seconds = 0;
  std::vector<std::vector<double>> times(candidates.size());
  std::vector<int> calls;
  for (const Candidate& candidate : candidates) {
    seconds_of(candidate.run, 1, device);
    const double once =
        std::min(seconds_of(candidate.run, 1, device), seconds_of(candidate.run, 1, device));
    calls.push_back(std::clamp(static_cast<int>(std::ceil(seconds / once)), 1, 100000));
  }
  for (int round = 0; round < rounds; ++round) {
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      times[i].push_back(seconds_of(candidates[i].run, calls[i], device));
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

std::string machine(Device device) {
  if (device.is_cuda()) return gpu(device);
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
