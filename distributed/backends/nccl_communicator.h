// One NCCL communicator with the stream that its collectives run on, and the watch that is kept
// over them.
//
// Collectives are put on the stream and not waited for, so one that never ends, because a rank does
// not come, is not noticed by the thread that started it: a thread of the communicator's own looks
// at what is under way. After the timeout, or when NCCL reports an error, it aborts the
// communicator, which ends the kernels and with them all waiting on the GPU. What they leave behind
// is worthless. It never gets to be read, since the error is then thrown by whatever comes first:
// the next collective or the next wait for the device (set_device_check).
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "distributed/backends/host_backend.h"
#include "distributed/backends/nccl_api.h"

namespace crocuta::distributed::nccl {

// Whether a result means that something went wrong.
inline bool is_failure(ncclResult_t result) {
  return result != ncclSuccess && result != ncclInProgress;
}
// What came first of two calls' failures, if there was one.
inline ncclResult_t first_failure(ncclResult_t first, ncclResult_t second) {
  return is_failure(first) ? first : second;
}

class Communicator {
 public:
  // Collective over the ranks of `host`, each with a GPU of its own. `call` is the one that makes
  // the group, for messages. Throws CommError if NCCL fails, or after host's timeout.
  Communicator(std::shared_ptr<HostBackend> host, const Call& call, Device device);
  ~Communicator();
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;

  // Puts a collective on stream(), by calls of group() and kernels in work(). It comes after all
  // that has been put on the device's current stream so far, and before all that will be.
  void run(const Call& call, std::chrono::milliseconds timeout, const std::function<void()>& work);

  // NCCL calls, as one group, for example
  //   group([&](ncclComm_t comm) { return ncclSend(..., comm, stream()); });
  // Returns when they are on the stream.
  using Calls = std::function<ncclResult_t(ncclComm_t)>;
  void group(const Calls& calls);

  cudaStream_t stream() const { return stream_; }

  // Throw the CommError of a collective that was given up, if there is one; the second does so only
  // if nobody has been told yet.
  void throw_if_failed();
  void throw_if_newly_failed();

 private:
  // A collective that is on the stream, or being put there. Its time begins when what it waits for
  // on the stream has ended.
  struct Pending {
    Call call;
    std::chrono::milliseconds timeout;
    cudaEvent_t started = nullptr, done = nullptr;
    bool queued = false;  // whole, so that `done` means something
    std::optional<std::chrono::steady_clock::time_point> start = {};
  };
  struct Failure {
    Call call;
    std::string message;
    bool timed_out = false;
    bool told = false;  // thrown once
    std::chrono::steady_clock::time_point time;
  };

  void watch(const std::stop_token& stop);
  // The following are called with mutex_ locked.
  void retire();
  void check_progress();
  void spare(const Pending& pending);
  void give_up(const Call& call, bool timed_out, std::string message);
  void abort();
  cudaEvent_t take_event();

  // Polls until NCCL has done what it was asked for, or throws.
  void wait_until_done();
  void drain();
  void finalize();

  const std::shared_ptr<HostBackend> host_;
  const Device device_;
  cudaStream_t stream_ = nullptr;
  cudaEvent_t ready_ = nullptr;
  Call current_;  // the collective that this thread is putting on the stream
  std::chrono::milliseconds current_timeout_{0};

  std::mutex mutex_;  // for all below
  std::condition_variable_any changed_;
  ncclComm_t comm_ = nullptr;  // null once aborted
  std::shared_ptr<std::atomic<bool>> aborted_;
  std::deque<Pending> pending_;
  std::vector<cudaEvent_t> spare_events_;
  std::optional<Failure> failure_;

  std::jthread watch_;  // the last, so that it starts and ends with all else in place
};

}  // namespace crocuta::distributed::nccl
