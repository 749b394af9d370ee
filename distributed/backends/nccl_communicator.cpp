#include "distributed/backends/nccl_communicator.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "framework/base/log.h"
#include "kernels/cuda/toolbox/device.h"

namespace crocuta::distributed::nccl {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using kernels::check_cuda;

// How long the others have to say that they wait, too, once one has lost patience.
constexpr auto kRollCall = 3000ms;
// How long this rank's thread has to notice that a collective was given up before the process is
// ended: it may be stuck on the GPU where no error reaches it.
constexpr auto kGrace = 4000ms;
// How long aborting may take before we go on without it.
constexpr auto kAbort = 2000ms;
// How long the end of a group waits for other ranks.
constexpr std::chrono::milliseconds kFarewell = 500ms;
constexpr std::chrono::milliseconds kForever = 1000h;

// All communicators, for the check after each wait for a device.
struct Registry {
  std::mutex mutex;
  std::vector<Communicator*> all;
  std::string orphan;  // the failure of one that is gone, if nobody was told
  std::atomic<bool> failed = false;
};
Registry& registry() {
  static auto* instance = new Registry;  // never destroyed: groups may be static, too
  return *instance;
}

void throw_new_failures() {
  if (!registry().failed) return;
  const std::lock_guard lock(registry().mutex);
  if (!registry().orphan.empty()) throw CommError(std::exchange(registry().orphan, {}));
  for (Communicator* communicator : registry().all) communicator->throw_if_newly_failed();
}

std::string error_text(ncclResult_t result, ncclComm_t comm) {
  std::string text = ncclGetErrorString(result);
  if (const char* last = ncclGetLastError(comm); last != nullptr && *last != '\0') {
    text += str(" (", last, ")");
  }
  return printable(text);
}

bool is_over(cudaEvent_t event) {
  const cudaError_t status = cudaEventQuery(event);
  if (status == cudaSuccess) return true;
  cudaGetLastError();
  return status != cudaErrorNotReady;  // an error ends it, too, and is reported elsewhere
}

// Polls done() until it holds or `time` is up: eagerly at first, then with naps.
template <class Done>
bool poll(std::chrono::milliseconds time, const Done& done) {
  const Clock::time_point start = Clock::now();
  while (!done()) {
    const auto waited = Clock::now() - start;
    if (waited > time) return false;
    if (waited < 2ms) {
      std::this_thread::yield();
    } else {
      std::this_thread::sleep_for(50us);
    }
  }
  return true;
}

}  // namespace

Communicator::Communicator(std::shared_ptr<HostBackend> host, const Call& call, Device device)
    : host_(std::move(host)),
      device_(device),
      current_(call),
      current_timeout_(host_->options.timeout),
      aborted_(std::make_shared<std::atomic<bool>>(false)) {
  ncclUniqueId id{};
  if (host_->rank() == 0) {
    if (const ncclResult_t result = ncclGetUniqueId(&id); result != ncclSuccess) {
      throw CommError(str(name(call.collective), ": NCCL failed: ", error_text(result, nullptr)));
    }
  }
  Call share{.collective = Collective::broadcast, .dtype = DType::int32};
  share.sequence = call.sequence;
  host_->broadcast(share, &id, &id, sizeof id / 4);

  check_cuda(cudaSetDevice(device_.index), "cudaSetDevice");
  check_cuda(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "cudaStreamCreate");
  check_cuda(cudaEventCreateWithFlags(&ready_, cudaEventDisableTiming), "cudaEventCreate");
  ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
  config.blocking = 0;
  const ncclResult_t result =
      ncclCommInitRankConfig(&comm_, host_->size(), id, host_->rank(), &config);
  if (is_failure(result)) {
    const std::lock_guard lock(mutex_);
    give_up(current_, false, error_text(result, comm_));
  }
  wait_until_done();
  {
    const std::lock_guard lock(registry().mutex);
    registry().all.push_back(this);
  }
  set_device_check(throw_new_failures);
  watch_ = std::jthread([this](const std::stop_token& stop) { watch(stop); });
}

Communicator::~Communicator() {
  drain();
  watch_.request_stop();
  watch_.join();
  {
    const std::lock_guard lock(registry().mutex);
    std::erase(registry().all, this);
    if (failure_ && !failure_->told) registry().orphan = failure_->message;
  }
  finalize();
  if (comm_ == nullptr && !aborted_->load()) return;  // what NCCL may still use is left to it
  for (const Pending& pending : pending_) spare(pending);
  for (cudaEvent_t event : spare_events_) cudaEventDestroy(event);
  cudaEventDestroy(ready_);
  cudaStreamDestroy(stream_);
}

// Waits for what is under way, whose results may yet be read, as long as the watch has patience. A
// rank that fails elsewhere must not wait for others, though.
void Communicator::drain() {
  const auto patience = std::uncaught_exceptions() > 0 ? kFarewell : kForever;
  poll(patience, [&] {
    const std::lock_guard lock(mutex_);
    retire();
    return pending_.empty() || failure_;
  });
}

// Ends the communicator in order if nothing is under way.
void Communicator::finalize() {
  if (comm_ == nullptr) return;
  const bool idle = pending_.empty();
  ncclResult_t state = idle ? ncclCommFinalize(comm_) : ncclInternalError;
  const bool ended =
      idle && poll(kFarewell, [&] {
        return is_failure(ncclCommGetAsyncError(comm_, &state)) || state != ncclInProgress;
      });
  if (ended && state == ncclSuccess) {
    ncclCommDestroy(comm_);
    comm_ = nullptr;
    *aborted_ = true;
  } else {
    abort();
    poll(kAbort, [&] { return aborted_->load(); });
  }
}

void Communicator::run(const Call& call, std::chrono::milliseconds timeout,
                       const std::function<void()>& work) {
  current_ = call;
  current_timeout_ = timeout;
  check_cuda(cudaSetDevice(device_.index), "cudaSetDevice");
  const auto compute = static_cast<cudaStream_t>(current_stream(device_));
  Pending pending{.call = call, .timeout = timeout};
  {
    const std::lock_guard lock(mutex_);
    retire();
    pending.started = take_event();
    pending.done = take_event();
  }
  // CUDA's calls may wait for room in a stream, so none is made with the mutex locked.
  check_cuda(cudaEventRecord(ready_, compute), "cudaEventRecord");
  check_cuda(cudaStreamWaitEvent(stream_, ready_, 0), "cudaStreamWaitEvent");
  check_cuda(cudaEventRecord(pending.started, stream_), "cudaEventRecord");
  {
    // Watched from here on, since with CROCUTA_CUDA_SYNC=1 work() itself waits for the other ranks.
    const std::lock_guard lock(mutex_);
    pending_.push_back(pending);
    changed_.notify_all();
  }
  try {
    work();
    check_cuda(cudaEventRecord(pending.done, stream_), "cudaEventRecord");
    check_cuda(cudaStreamWaitEvent(compute, pending.done, 0), "cudaStreamWaitEvent");
  } catch (...) {
    const std::lock_guard lock(mutex_);
    spare(pending_.back());
    pending_.pop_back();
    throw;
  }
  const std::lock_guard lock(mutex_);
  pending_.back().queued = true;
}

void Communicator::group(const Calls& calls) {
  {
    const std::lock_guard lock(mutex_);
    if (!failure_) {
      ncclResult_t result = ncclGroupStart();
      result = first_failure(result, calls(comm_));
      result = first_failure(result, ncclGroupEnd());
      if (is_failure(result)) give_up(current_, false, error_text(result, comm_));
    }
  }
  wait_until_done();
}

void Communicator::wait_until_done() {
  const bool in_time = poll(current_timeout_, [&] {
    const std::lock_guard lock(mutex_);
    if (failure_) return true;
    ncclResult_t state = ncclSuccess;
    const ncclResult_t asked = ncclCommGetAsyncError(comm_, &state);
    const ncclResult_t result = first_failure(asked, state);
    if (is_failure(result)) give_up(current_, false, error_text(result, comm_));
    return result != ncclInProgress;
  });
  if (!in_time) {
    const std::lock_guard lock(mutex_);
    if (!failure_) give_up(current_, true, host_->waited(current_, current_timeout_));
  }
  throw_if_failed();
}

void Communicator::watch(const std::stop_token& stop) {
  cudaSetDevice(device_.index);
  std::unique_lock lock(mutex_);
  while (!stop.stop_requested()) {
    const auto never = [] { return false; };
    if (pending_.empty() && !failure_) {
      changed_.wait(lock, stop, [&] { return !pending_.empty() || failure_; });
      continue;
    }
    const auto timeout = failure_ ? kGrace : pending_.front().timeout;
    const auto interval = std::clamp<std::chrono::milliseconds>(timeout / 20, 1ms, 50ms);
    changed_.wait_for(lock, stop, interval, never);
    if (!failure_) {
      retire();
      check_progress();
    } else if (!failure_->told && Clock::now() - failure_->time > kGrace) {
      log_error(failure_->message);
      std::fflush(nullptr);
      std::_Exit(1);
    }
  }
}

void Communicator::check_progress() {
  if (pending_.empty()) return;
  Pending& first = pending_.front();
  ncclResult_t state = ncclSuccess;
  const ncclResult_t asked = ncclCommGetAsyncError(comm_, &state);
  const ncclResult_t result = first_failure(asked, state);
  if (is_failure(result)) {
    give_up(first.call, false, error_text(result, comm_));
  } else if (!first.start) {
    if (is_over(first.started)) first.start = Clock::now();
  } else if (Clock::now() - *first.start > first.timeout) {
    give_up(first.call, true, host_->waited(first.call, first.timeout));
  }
}

void Communicator::retire() {
  while (!pending_.empty() && pending_.front().queued && is_over(pending_.front().done)) {
    spare(pending_.front());
    pending_.pop_front();
  }
}

void Communicator::spare(const Pending& pending) {
  spare_events_.insert(spare_events_.end(), {pending.started, pending.done});
}

cudaEvent_t Communicator::take_event() {
  cudaEvent_t event = nullptr;
  if (spare_events_.empty()) {
    check_cuda(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), "cudaEventCreate");
  } else {
    event = spare_events_.back();
    spare_events_.pop_back();
  }
  return event;
}

void Communicator::give_up(const Call& call, bool timed_out, std::string message) {
  if (!timed_out) {
    message = str(name(call.collective), ": ", host_->rank_name(host_->rank()), ": NCCL failed in ",
                  describe(call), ": ", message);
  }
  failure_ = Failure{
      .call = call, .message = std::move(message), .timed_out = timed_out, .time = Clock::now()};
  registry().failed = true;  // before the abort, which ends the waiting of those who look at it
  abort();
  changed_.notify_all();
}

// On a thread of its own, which this one need not wait for: aborting may hang like all else.
void Communicator::abort() {
  if (comm_ == nullptr) return;
  std::thread([comm = std::exchange(comm_, nullptr), aborted = aborted_, device = device_] {
    cudaSetDevice(device.index);
    ncclCommAbort(comm);
    *aborted = true;
  }).detach();
}

void Communicator::throw_if_failed() {
  throw_if_newly_failed();
  const std::lock_guard lock(mutex_);
  if (failure_) throw CommError(failure_->message);
}

void Communicator::throw_if_newly_failed() {
  Failure failure;
  {
    const std::lock_guard lock(mutex_);
    if (!failure_ || failure_->told) return;
    failure_->told = true;
    failure = *failure_;
  }
  poll(kAbort, [&] { return aborted_->load(); });
  // NCCL does not say for whom it waits; the ranks can ask each other.
  const auto patience = failure.timed_out ? std::chrono::milliseconds(kRollCall) : 0ms;
  const HostBackend::RollCall roll_call = host_->roll_call(failure.call, patience);
  if (!roll_call.disagreement.empty()) {
    failure.message = roll_call.disagreement;
  } else if (failure.timed_out && !roll_call.missing.empty()) {
    failure.message += " for " + host_->rank_names(roll_call.missing);
  } else if (failure.timed_out && roll_call.complete) {
    failure.message +=
        ", though all ranks have joined it: a GPU or a link between GPUs does not answer";
  }
  {
    const std::lock_guard lock(mutex_);
    failure_->message = failure.message;
  }
  throw CommError(failure.message);
}

}  // namespace crocuta::distributed::nccl
