#include "bench/device_harness.h"

#include <algorithm>
#include <cmath>
#include <exception>
#include <iostream>
#include <memory>

#include "framework/base/error.h"
#include "framework/device/device.h"
#include "kernels/cuda/toolbox/device.h"

namespace crocuta::bench {
namespace {

using kernels::check_cuda;

cudaStream_t stream() {
  return static_cast<cudaStream_t>(current_stream(default_device()));
}

class Event {
 public:
  Event() { check_cuda(cudaEventCreate(&event_), "cudaEventCreate"); }
  ~Event() { cudaEventDestroy(event_); }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  void record() { check_cuda(cudaEventRecord(event_, stream()), "cudaEventRecord"); }
  double seconds_since(const Event& start) {
    float milliseconds = 0;
    check_cuda(cudaEventSynchronize(event_), "cudaEventSynchronize");
    check_cuda(cudaEventElapsedTime(&milliseconds, start.event_, event_), "cudaEventElapsedTime");
    return milliseconds * 1e-3;
  }

 private:
  cudaEvent_t event_ = nullptr;
};

// A candidate called a few times, with all sets of operands in turn.
class Calls {
 public:
  Calls(const DeviceCandidate& candidate, int sets)
      : run_(candidate.run), sets_(sets), calls_(is_emulated() ? 1 : multiple_of(sets)) {
    run_(0);  // what happens once, such as loading a kernel, cannot be captured
    check_cuda(cudaStreamSynchronize(stream()), candidate.name.c_str());
    capture();
  }
  ~Calls() { release(); }
  Calls(const Calls&) = delete;
  Calls& operator=(const Calls&) = delete;

  // Seconds per call, of `times` repetitions.
  double time(int times) {
    start_.record();
    for (int i = 0; i < times; ++i) replay();
    stop_.record();
    return stop_.seconds_since(start_) / times / calls_;
  }
  int count() const { return calls_; }

 private:
  static int multiple_of(int sets) { return sets * ((16 + sets - 1) / sets); }
  void call_all() {
    for (int i = 0; i < calls_; ++i) run_(i % sets_);
  }

#if defined(CROCUTA_CUDA_EMULATED)  // which has no graphs, and nothing to win by them
  void capture() {}
  void replay() {
    call_all();
  }
  void release() {}
#else
  void capture() {
    cudaGraph_t graph = nullptr;
    // This thread's calls only: the watch over collectives and the pool of pinned memory ask
    // events meanwhile, which a capture of all threads' calls would take for an error. What is
    // captured here allocates nothing.
    check_cuda(cudaStreamBeginCapture(stream(), cudaStreamCaptureModeThreadLocal),
               "cudaStreamBeginCapture");
    call_all();
    check_cuda(cudaStreamEndCapture(stream(), &graph), "cudaStreamEndCapture");
    check_cuda(cudaGraphInstantiate(&graph_, graph, 0), "cudaGraphInstantiate");
    check_cuda(cudaGraphDestroy(graph), "cudaGraphDestroy");
  }
  void replay() {
    check_cuda(cudaGraphLaunch(graph_, stream()), "cudaGraphLaunch");
  }
  void release() {
    cudaGraphExecDestroy(graph_);
  }
  cudaGraphExec_t graph_ = nullptr;
#endif

  std::function<void(int)> run_;
  int sets_, calls_;
  Event start_, stop_;
};

}  // namespace

int cold_sets(double bytes) {
  if (is_emulated()) return 2;
  int l2 = 0;
  check_cuda(cudaDeviceGetAttribute(&l2, cudaDevAttrL2CacheSize, default_device().index),
             "cudaDeviceGetAttribute");
  return static_cast<int>(std::clamp(std::ceil(4.0 * l2 / bytes), 1.0, 1000.0));
}

std::vector<Timing> compare_on_device(const std::vector<DeviceCandidate>& candidates, int sets,
                                      int rounds, double seconds) {
  if (is_emulated()) rounds = 1, seconds = 0;
  std::vector<std::unique_ptr<Calls>> calls;
  std::vector<int> repetitions;
  for (const DeviceCandidate& candidate : candidates) {
    calls.push_back(std::make_unique<Calls>(candidate, sets));
    if (!is_emulated()) calls.back()->time(1);  // the first replay loads the graph
    const double once = calls.back()->time(1) * calls.back()->count();
    repetitions.push_back(
        std::clamp(static_cast<int>(std::ceil(seconds / std::max(once, 1e-9))), 1, 10000));
  }
  std::vector<std::vector<double>> times(candidates.size());
  for (int round = 0; round < rounds; ++round) {
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      times[i].push_back(calls[i]->time(repetitions[i]));
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

int run_on_gpu(const char* program, const std::function<void()>& body) {
  if (cuda_device_count() == 0) {
    std::cerr << program << ": no GPU on this machine\n";
    return 77;
  }
  try {
    set_default_device(Device::cuda());
    body();
    return 0;
  } catch (const std::exception& error) {
    std::cerr << program << ": error: " << error.what() << '\n';
    return 1;
  }
}

}  // namespace crocuta::bench
