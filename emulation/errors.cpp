#include "emulation/errors.h"

#include <atomic>
#include <cstdlib>
#include <map>
#include <mutex>
#include <string_view>

namespace crocuta::emulation {
namespace {

struct ThreadErrors {
  cudaError_t last = cudaSuccess;
  // Of the error set last, for as long as it is not overwritten: cudaGetErrorString may be called
  // after cudaGetLastError has cleared it.
  cudaError_t explained = cudaSuccess;
  std::string detail, text;
};
ThreadErrors& thread_errors() {
  thread_local ThreadErrors errors;
  return errors;
}

constexpr const char* kAsynchronousFault = "fault";

// Calls that are to fail, and in how many calls. `any` keeps the lock out of all other runs.
struct Injections {
  std::atomic<bool> any = false;
  std::mutex mutex;
  std::map<std::string, std::uint64_t> countdown;

  Injections() {
    const char* text = std::getenv("CROCUTA_EMULATION_FAIL");
    std::string rest = text ? text : "";
    while (!rest.empty()) {
      const std::string item = rest.substr(0, rest.find(','));
      rest.erase(0, item.size() + 1);
      const std::size_t colon = item.find(':');
      countdown[item.substr(0, colon)] =
          colon == item.npos ? 1 : std::strtoull(item.c_str() + colon + 1, nullptr, 10);
    }
    any = !countdown.empty();
  }

  bool set(const std::string& name, std::uint64_t n) {
    const std::lock_guard lock(mutex);
    const bool waiting = countdown.count(name) > 0;
    if (n > 0) {
      countdown[name] = n;
    } else {
      countdown.erase(name);
    }
    any = !countdown.empty();
    return waiting;
  }
  bool now(const char* name) {
    if (!any.load(std::memory_order_relaxed)) return false;
    const std::lock_guard lock(mutex);
    const bool this_one = is_next(name);
    return (name != std::string_view(kAsynchronousFault) && is_next("any")) || this_one;
  }

 private:
  bool is_next(const char* name) {
    const auto found = countdown.find(name);
    if (found == countdown.end() || --found->second > 0) return false;
    countdown.erase(found);
    any = !countdown.empty();
    return true;
  }
};
Injections& injections() {
  static Injections injections;
  return injections;
}

enum class Fault { none, pending, surfaced };
std::atomic<Fault> fault = Fault::none;
std::mutex fault_mutex;
std::string fault_detail;

cudaError_t report_fault() {
  const std::lock_guard lock(fault_mutex);
  return set_error(cudaErrorLaunchFailure, fault_detail);
}

}  // namespace

cudaError_t set_error(cudaError_t error, std::string detail) {
  if (error == cudaSuccess) return error;
  ThreadErrors& errors = thread_errors();
  errors.last = errors.explained = error;
  errors.detail = std::move(detail);
  return error;
}

bool fail_call(const std::string& name, std::uint64_t n) {
  return injections().set(name, n);
}
void fault_launch(std::uint64_t n) {
  injections().set(kAsynchronousFault, n);
}
bool call_fails(const char* name) {
  return injections().now(name);
}
bool launch_faults() {
  return injections().now(kAsynchronousFault);
}

void start_fault(const std::string& detail) {
  const std::lock_guard lock(fault_mutex);
  fault_detail = detail;
  fault = Fault::pending;
}
bool fault_pending() {
  return fault != Fault::none;
}
cudaError_t surface_fault() {
  if (fault == Fault::none) return cudaSuccess;
  fault = Fault::surfaced;
  return report_fault();
}
cudaError_t surfaced_fault() {
  return fault == Fault::surfaced ? report_fault() : cudaSuccess;
}
void end_fault() {
  fault = Fault::none;
}

}  // namespace crocuta::emulation

using crocuta::emulation::thread_errors;

cudaError_t cudaPeekAtLastError() {
  return thread_errors().last;
}
cudaError_t cudaGetLastError() {
  const cudaError_t error = thread_errors().last;
  thread_errors().last = cudaSuccess;
  return error;
}

namespace {
struct ErrorText {
  const char* name;
  const char* text;
};
ErrorText error_text(cudaError_t error) {
  switch (error) {
    case cudaSuccess:
      return {"cudaSuccess", "no error"};
    case cudaErrorInvalidValue:
      return {"cudaErrorInvalidValue", "invalid argument"};
    case cudaErrorMemoryAllocation:
      return {"cudaErrorMemoryAllocation", "out of memory"};
    case cudaErrorInitializationError:
      return {"cudaErrorInitializationError", "initialization error"};
    case cudaErrorInvalidConfiguration:
      return {"cudaErrorInvalidConfiguration", "invalid configuration argument"};
    case cudaErrorInvalidMemcpyDirection:
      return {"cudaErrorInvalidMemcpyDirection", "invalid copy direction for memcpy"};
    case cudaErrorInsufficientDriver:
      return {"cudaErrorInsufficientDriver",
              "CUDA driver version is insufficient for CUDA runtime version"};
    case cudaErrorNoDevice:
      return {"cudaErrorNoDevice", "no CUDA-capable device is detected"};
    case cudaErrorPeerAccessAlreadyEnabled:
      return {"cudaErrorPeerAccessAlreadyEnabled", "peer access is already enabled"};
    case cudaErrorInvalidDevice:
      return {"cudaErrorInvalidDevice", "invalid device ordinal"};
    case cudaErrorInvalidResourceHandle:
      return {"cudaErrorInvalidResourceHandle", "invalid resource handle"};
    case cudaErrorNotReady:
      return {"cudaErrorNotReady", "device not ready"};
    case cudaErrorIllegalAddress:
      return {"cudaErrorIllegalAddress", "an illegal memory access was encountered"};
    case cudaErrorLaunchOutOfResources:
      return {"cudaErrorLaunchOutOfResources", "too many resources requested for launch"};
    case cudaErrorLaunchTimeout:
      return {"cudaErrorLaunchTimeout", "the launch timed out and was terminated"};
    case cudaErrorMisalignedAddress:
      return {"cudaErrorMisalignedAddress", "misaligned address"};
    case cudaErrorLaunchFailure:
      return {"cudaErrorLaunchFailure", "unspecified launch failure"};
    case cudaErrorNotSupported:
      return {"cudaErrorNotSupported", "operation not supported"};
    case cudaErrorUnknown:
      break;
  }
  return {"cudaErrorUnknown", "unknown error"};
}
}  // namespace

const char* cudaGetErrorName(cudaError_t error) {
  return error_text(error).name;
}
const char* cudaGetErrorString(cudaError_t error) {
  auto& errors = thread_errors();
  if (errors.explained != error || errors.detail.empty()) return error_text(error).text;
  errors.text = std::string(error_text(error).text) + ": " + errors.detail;
  return errors.text.c_str();
}
