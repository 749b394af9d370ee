// Streams and events. Whatever is queued has already run, so they only keep their books.
#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "emulation/calls.h"
#include "emulation/stall.h"

// What a stream waits for, if it is stalled, until it is set. Event and stream share it.
using Stall = std::shared_ptr<std::atomic<bool>>;

struct CUstream_st {
  Stall stall;
};
struct CUevent_st {
  Stall stall;
  bool timed = true;
  bool recorded = false;
  std::chrono::steady_clock::time_point time;
};

namespace crocuta::emulation {
namespace {

template <class T>
class Handles {
 public:
  T* create() {
    const std::lock_guard lock(mutex_);
    return *live_.insert(new T).first;
  }
  bool contains(T* handle) {
    const std::lock_guard lock(mutex_);
    return live_.count(handle) > 0;
  }
  template <class F>
  void for_each(F f) {
    const std::lock_guard lock(mutex_);
    for (T* handle : live_) f(*handle);
  }
  bool destroy(T* handle) {
    const std::lock_guard lock(mutex_);
    if (live_.erase(handle) == 0) return false;
    delete handle;
    return true;
  }

 private:
  std::mutex mutex_;
  std::set<T*> live_;
};
// Never destroyed: objects of static lifetime may still hold handles.
Handles<CUstream_st>& streams() {
  static auto* handles = new Handles<CUstream_st>;
  return *handles;
}
Handles<CUevent_st>& events() {
  static auto* handles = new Handles<CUevent_st>;
  return *handles;
}

std::atomic<cudaStream_t> expected_stream = nullptr;

bool valid_stream(cudaStream_t stream) {
  return stream == nullptr || streams().contains(stream);
}

// Handles' stalls are set on one thread and looked at by others.
std::mutex stall_mutex;

void set_stall(Stall& to, const Stall& stall) {
  const std::lock_guard lock(stall_mutex);
  to = stall;
}
template <class T>
Stall stall_of(const T* handle) {
  if (handle == nullptr) return nullptr;
  const std::lock_guard lock(stall_mutex);
  return handle->stall && !*handle->stall ? handle->stall : nullptr;
}
void wait_for(const Stall& stall) {
  while (stall && !*stall) std::this_thread::sleep_for(std::chrono::microseconds(100));
}

}  // namespace

void stall(cudaStream_t stream) {
  set_stall(stream->stall, std::make_shared<std::atomic<bool>>(false));
}
void resume(cudaStream_t stream) {
  if (const Stall stall = stall_of(stream)) *stall = true;
}
void wait_for_stalled_streams() {
  std::vector<Stall> stalls;
  streams().for_each([&](const CUstream_st& stream) { stalls.push_back(stall_of(&stream)); });
  for (const Stall& stall : stalls) wait_for(stall);
}

cudaError_t check_stream(cudaStream_t stream) {
  if (!valid_stream(stream)) return set_error(cudaErrorInvalidResourceHandle);
  const cudaStream_t expected = expected_stream;
  if (expected == nullptr || stream == expected) return cudaSuccess;
  return set_error(cudaErrorInvalidResourceHandle,
                   std::string("work is queued on ") +
                       (stream == nullptr ? "the default stream" : "another stream") +
                       " and not on the one that is current");
}
void expect_stream(cudaStream_t stream) {
  expected_stream = stream;
}

}  // namespace crocuta::emulation

using namespace crocuta::emulation;

#define CROCUTA_BEGIN(name, likely) \
  if (const cudaError_t error = begin_call(name, likely); error != cudaSuccess) return error
#define CROCUTA_BEGIN_WAITING(name) \
  if (const cudaError_t error = begin_waiting_call(name); error != cudaSuccess) return error
#define CROCUTA_REQUIRE_HANDLE(valid) \
  if (!(valid)) return set_error(cudaErrorInvalidResourceHandle)

cudaError_t cudaStreamCreateWithPriority(cudaStream_t* stream, unsigned, int) {
  CROCUTA_BEGIN("cudaStreamCreate", cudaErrorMemoryAllocation);
  *stream = streams().create();
  return cudaSuccess;
}
cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags) {
  return cudaStreamCreateWithPriority(stream, flags, 0);
}
cudaError_t cudaStreamCreate(cudaStream_t* stream) {
  return cudaStreamCreateWithPriority(stream, cudaStreamDefault, 0);
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  CROCUTA_REQUIRE_HANDLE(streams().destroy(stream));
  CROCUTA_BEGIN("cudaStreamDestroy", cudaErrorInvalidResourceHandle);
  return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  CROCUTA_BEGIN_WAITING("cudaStreamSynchronize");
  CROCUTA_REQUIRE_HANDLE(valid_stream(stream));
  wait_for(stall_of(stream));
  return cudaSuccess;
}
cudaError_t cudaStreamQuery(cudaStream_t stream) {
  CROCUTA_BEGIN_WAITING("cudaStreamQuery");
  CROCUTA_REQUIRE_HANDLE(valid_stream(stream));
  return stall_of(stream) ? set_error(cudaErrorNotReady) : cudaSuccess;
}
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
  CROCUTA_BEGIN("cudaStreamWaitEvent", cudaErrorInvalidResourceHandle);
  CROCUTA_REQUIRE_HANDLE(valid_stream(stream) && events().contains(event));
  if (const Stall stall = stall_of(event); stall && stream) set_stall(stream->stall, stall);
  return cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags) {
  CROCUTA_BEGIN("cudaEventCreate", cudaErrorMemoryAllocation);
  *event = events().create();
  (*event)->timed = (flags & cudaEventDisableTiming) == 0;
  return cudaSuccess;
}
cudaError_t cudaEventCreate(cudaEvent_t* event) {
  return cudaEventCreateWithFlags(event, cudaEventDefault);
}
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  CROCUTA_REQUIRE_HANDLE(events().destroy(event));
  CROCUTA_BEGIN("cudaEventDestroy", cudaErrorInvalidResourceHandle);
  return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  CROCUTA_BEGIN("cudaEventRecord", cudaErrorInvalidResourceHandle);
  CROCUTA_REQUIRE_HANDLE(valid_stream(stream) && events().contains(event));
  set_stall(event->stall, stall_of(stream));
  event->recorded = true;
  event->time = std::chrono::steady_clock::now();
  return cudaSuccess;
}
cudaError_t cudaEventQuery(cudaEvent_t event) {
  CROCUTA_BEGIN_WAITING("cudaEventQuery");
  CROCUTA_REQUIRE_HANDLE(events().contains(event));
  return stall_of(event) ? set_error(cudaErrorNotReady) : cudaSuccess;
}
cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  CROCUTA_BEGIN_WAITING("cudaEventSynchronize");
  CROCUTA_REQUIRE_HANDLE(events().contains(event));
  wait_for(stall_of(event));
  return cudaSuccess;
}
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t start, cudaEvent_t stop) {
  CROCUTA_BEGIN("cudaEventElapsedTime", cudaErrorInvalidResourceHandle);
  CROCUTA_REQUIRE_HANDLE(events().contains(start) && events().contains(stop) && start->timed &&
                         stop->timed && start->recorded && stop->recorded);
  *milliseconds = std::chrono::duration<float, std::milli>(stop->time - start->time).count();
  return cudaSuccess;
}
