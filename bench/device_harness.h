// bench/harness.h for a GPU: candidates take turns, timed by events on the GPU's own clock.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "bench/harness.h"

namespace crocuta::bench {

// How many sets of operands it takes so that using them in turn finds nothing of the next one in
// the L2 cache, if of each at least `bytes` bytes are used.
int cold_sets(double bytes);

struct DeviceCandidate {
  std::string name;
  std::function<void(int set)> run;  // puts its kernels on current_stream(), and nothing else
};

// As compare(), on default_device(), each call with the next of `sets` sets of operands: one set is
// as warm as it gets. The calls are captured in a CUDA graph and replayed, so that the time of a
// short kernel is not that of its launch.
std::vector<Timing> compare_on_device(const std::vector<DeviceCandidate>& candidates, int sets,
                                      int rounds = 9, double seconds = 0.01);

// A main() for the GPU: runs `body` with the first GPU as the default device and returns 0; 77
// after a line on stderr if there is none, 1 after one with the error.
int run_on_gpu(const char* program, const std::function<void()>& body);

}  // namespace crocuta::bench
