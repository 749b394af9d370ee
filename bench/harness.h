// Timing by comparison: candidates take turns in one process, so that what disturbs the machine
// disturbs all of them, and results are medians and ratios.
#pragma once

#include <functional>
#include <string>
#include <vector>

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
// each as often as fills about `seconds`. One timing per candidate.
std::vector<Timing> compare(const std::vector<Candidate>& candidates, int rounds = 9,
                            double seconds = 0.02);

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

// "Intel(R) Xeon(R) Processor, 2 threads"
std::string machine();

}  // namespace crocuta::bench
