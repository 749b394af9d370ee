// Timing by comparison: candidates take turns in one process, so that what disturbs the machine
// disturbs all of them, and results are medians and ratios.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "framework/device/device.h"

namespace crocuta::bench {

struct Candidate {
  std::string name;
  std::function<void()> run;
};

struct Timing {
  double median = 0;  // seconds per call
  double spread = 0;  // (slowest - fastest) / median over the rounds
};

// Runs every candidate once to warm up, then all of them in turn for `rounds` rounds; a round calls
// each as often as fills about `seconds`. One timing per candidate. On a GPU the calls of a round
// queue up, and the round ends when the last of them has finished; an emulated one is timed once.
std::vector<Timing> compare(const std::vector<Candidate>& candidates, int rounds = 9,
                            double seconds = 0.02, Device device = Device::cpu());

// Floats between -1 and 1 in memory from the library's allocator.
class Buffer {
 public:
  explicit Buffer(std::size_t floats);
  ~Buffer();
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  float* data() const { return data_; }
  std::size_t size() const { return floats_; }

 private:
  float* data_;
  std::size_t floats_;
};

// True in a build with CROCUTA_CUDA=emulated, where times on a GPU mean nothing.
bool is_emulated();

// "Intel(R) Xeon(R) Processor, 2 threads", "NVIDIA H200, 132 multiprocessors, 60 MiB L2"; of an
// emulated GPU it says that its times mean nothing.
std::string machine(Device device = Device::cpu());

}  // namespace crocuta::bench
