// The runtime's calls about devices and memory.
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <set>
#include <string>
#include <utility>

#include "emulation/calls.h"
#include "emulation/limits.h"
#include "emulation/memory.h"
#include "emulation/stall.h"

namespace crocuta::emulation {
namespace {

thread_local int current_device = 0;

bool exists(int device) {
  return device >= 0 && device < device_count();
}

std::string hex(const void* pointer) {
  char text[32];
  std::snprintf(text, sizeof text, "%p", pointer);
  return text;
}

// What is wrong with a copy's range of memory, of which `device` says where it should be.
std::string range_problem(const char* name, const void* pointer, std::size_t bytes, bool device) {
  const MemoryRange range = find_memory(pointer);
  const bool is_device = range.kind == MemoryKind::device;
  const std::string what = std::string(name) + " " + hex(pointer);
  if (is_device != device) {
    return what + (device ? " is not device memory" : " is device memory");
  }
  if (range.kind == MemoryKind::other) return "";
  if (range.begin == nullptr) return what + " is in no block of device memory in use";
  const auto offset = static_cast<std::size_t>(static_cast<const char*>(pointer) - range.begin);
  if (bytes <= range.bytes - offset) return "";
  return what + ": " + std::to_string(bytes) + " bytes do not fit into the block there, of which " +
         std::to_string(range.bytes - offset) + " bytes are left";
}

bool valid_kind(cudaMemcpyKind kind) {
  return kind >= cudaMemcpyHostToHost && kind <= cudaMemcpyDefault;
}

cudaError_t copy(const char* call, void* to, const void* from, std::size_t bytes,
                 cudaMemcpyKind kind) {
  if (!valid_kind(kind)) return set_error(cudaErrorInvalidMemcpyDirection);
  if (bytes == 0) return cudaSuccess;
  const auto on_device = [](const void* pointer) {
    return find_memory(pointer).kind == MemoryKind::device;
  };
  const bool to_device = kind == cudaMemcpyDefault
                             ? on_device(to)
                             : kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice;
  const bool from_device = kind == cudaMemcpyDefault
                               ? on_device(from)
                               : kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice;
  std::string problem = range_problem("destination", to, bytes, to_device);
  if (problem.empty()) problem = range_problem("source", from, bytes, from_device);
  if (!problem.empty()) return set_error(cudaErrorInvalidValue, std::string(call) + ": " + problem);
  if (fault_pending()) return cudaSuccess;
  const DeviceAccess access;
  std::memmove(to, from, bytes);
  return cudaSuccess;
}

cudaError_t set(const char* call, void* to, int byte, std::size_t bytes) {
  if (bytes == 0) return cudaSuccess;
  const std::string problem = range_problem("destination", to, bytes, true);
  if (!problem.empty()) return set_error(cudaErrorInvalidValue, std::string(call) + ": " + problem);
  if (fault_pending()) return cudaSuccess;
  const DeviceAccess access;
  std::memset(to, byte, bytes);
  return cudaSuccess;
}

}  // namespace

int current_device_of_thread() {
  return current_device;
}

cudaError_t begin_call(const char* name, cudaError_t likely) {
  if (device_count() == 0) return set_error(cudaErrorNoDevice);
  if (call_fails(name)) return set_error(likely, std::string(name) + " was made to fail");
  return surfaced_fault();
}
cudaError_t begin_waiting_call(const char* name) {
  const cudaError_t error = begin_call(name, cudaErrorLaunchFailure);
  return error == cudaSuccess ? surface_fault() : error;
}

}  // namespace crocuta::emulation

using namespace crocuta::emulation;

#define CROCUTA_BEGIN(name, likely) \
  if (const cudaError_t error = begin_call(name, likely); error != cudaSuccess) return error
#define CROCUTA_BEGIN_WAITING(name) \
  if (const cudaError_t error = begin_waiting_call(name); error != cudaSuccess) return error

cudaError_t cudaGetDeviceCount(int* count) {
  CROCUTA_BEGIN("cudaGetDeviceCount", cudaErrorInsufficientDriver);
  *count = device_count();
  return cudaSuccess;
}
cudaError_t cudaSetDevice(int device) {
  CROCUTA_BEGIN("cudaSetDevice", cudaErrorInvalidDevice);
  if (!exists(device)) return set_error(cudaErrorInvalidDevice);
  current_device = device;
  return cudaSuccess;
}
cudaError_t cudaGetDevice(int* device) {
  CROCUTA_BEGIN("cudaGetDevice", cudaErrorInitializationError);
  *device = current_device;
  return cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device) {
  CROCUTA_BEGIN("cudaDeviceGetAttribute", cudaErrorInvalidDevice);
  if (!exists(device)) return set_error(cudaErrorInvalidDevice);
  switch (attribute) {
    case cudaDevAttrMaxThreadsPerBlock:
    case cudaDevAttrMaxBlockDimX:
    case cudaDevAttrMaxBlockDimY:
      *value = kMaxThreads;
      return cudaSuccess;
    case cudaDevAttrMaxBlockDimZ:
      *value = kMaxBlockZ;
      return cudaSuccess;
    case cudaDevAttrMaxGridDimX:
      *value = kMaxGridX;
      return cudaSuccess;
    case cudaDevAttrMaxGridDimY:
    case cudaDevAttrMaxGridDimZ:
      *value = kMaxGridYZ;
      return cudaSuccess;
    case cudaDevAttrMaxSharedMemoryPerBlock:
      *value = kDefaultSharedBytes;
      return cudaSuccess;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin:
      *value = kMaxSharedBytes;
      return cudaSuccess;
    case cudaDevAttrMaxSharedMemoryPerMultiprocessor:
      *value = kMaxSharedBytes + 1024;
      return cudaSuccess;
    case cudaDevAttrWarpSize:
      *value = kWarp;
      return cudaSuccess;
    case cudaDevAttrMultiProcessorCount:
      *value = kMultiprocessors;
      return cudaSuccess;
    case cudaDevAttrMaxThreadsPerMultiProcessor:
      *value = 2048;
      return cudaSuccess;
    case cudaDevAttrL2CacheSize:
      *value = 50 << 20;
      return cudaSuccess;
    case cudaDevAttrClockRate:
    case cudaDevAttrMemoryClockRate:
      *value = 1000000;  // kHz
      return cudaSuccess;
    case cudaDevAttrGlobalMemoryBusWidth:
      *value = 64;
      return cudaSuccess;
    case cudaDevAttrPciBusId:
      *value = device + 1;
      return cudaSuccess;
    case cudaDevAttrPciDeviceId:
    case cudaDevAttrPciDomainId:
      *value = 0;
      return cudaSuccess;
    case cudaDevAttrComputeCapabilityMajor:
      *value = kComputeMajor;
      return cudaSuccess;
    case cudaDevAttrComputeCapabilityMinor:
      *value = kComputeMinor;
      return cudaSuccess;
  }
  return set_error(cudaErrorInvalidValue);
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
  CROCUTA_BEGIN("cudaGetDeviceProperties", cudaErrorInvalidDevice);
  if (!exists(device)) return set_error(cudaErrorInvalidDevice);
  *properties = {};
  std::snprintf(properties->name, sizeof properties->name, "Emulated GPU");
  properties->totalGlobalMem = device_memory_bytes();
  properties->sharedMemPerBlock = kDefaultSharedBytes;
  properties->sharedMemPerBlockOptin = kMaxSharedBytes;
  properties->warpSize = kWarp;
  properties->maxThreadsPerBlock = kMaxThreads;
  properties->multiProcessorCount = kMultiprocessors;
  properties->major = kComputeMajor;
  properties->minor = kComputeMinor;
  properties->l2CacheSize = 50 << 20;
  properties->pciBusID = device + 1;
  // The same in all processes, which emulate the same GPUs.
  properties->uuid.bytes[0] = static_cast<char>(device + 1);
  return cudaSuccess;
}
cudaError_t cudaDeviceGetPCIBusId(char* text, int length, int device) {
  CROCUTA_BEGIN("cudaDeviceGetPCIBusId", cudaErrorInvalidDevice);
  if (!exists(device)) return set_error(cudaErrorInvalidDevice);
  if (length < 13) return set_error(cudaErrorInvalidValue);
  std::snprintf(text, static_cast<std::size_t>(length), "0000:%02x:00.0", device + 1);
  return cudaSuccess;
}

// Memory is one here; what is remembered is whether a program asks, as it has to on real GPUs.
cudaError_t cudaDeviceCanAccessPeer(int* possible, int device, int peer) {
  CROCUTA_BEGIN("cudaDeviceCanAccessPeer", cudaErrorInvalidDevice);
  if (!exists(device) || !exists(peer)) return set_error(cudaErrorInvalidDevice);
  *possible = device == peer ? 0 : 1;
  return cudaSuccess;
}
cudaError_t cudaDeviceEnablePeerAccess(int peer, unsigned flags) {
  CROCUTA_BEGIN("cudaDeviceEnablePeerAccess", cudaErrorInvalidDevice);
  if (!exists(peer) || peer == current_device) return set_error(cudaErrorInvalidDevice);
  if (flags != 0) return set_error(cudaErrorInvalidValue);
  static std::mutex mutex;
  static std::set<std::pair<int, int>> enabled;
  const std::lock_guard lock(mutex);
  const bool is_new = enabled.emplace(current_device, peer).second;
  return is_new ? cudaSuccess : set_error(cudaErrorPeerAccessAlreadyEnabled);
}

cudaError_t cudaDeviceSynchronize() {
  CROCUTA_BEGIN_WAITING("cudaDeviceSynchronize");
  wait_for_stalled_streams();
  const std::string damage = damaged_redzone(current_device);
  return damage.empty() ? cudaSuccess : set_error(cudaErrorIllegalAddress, damage);
}
cudaError_t cudaDeviceReset() {
  if (device_count() == 0) return set_error(cudaErrorNoDevice);
  end_fault();
  cudaGetLastError();
  return cudaSuccess;
}
cudaError_t cudaDriverGetVersion(int* version) {
  *version = device_count() > 0 ? kCudaVersion : 0;
  return cudaSuccess;
}
cudaError_t cudaRuntimeGetVersion(int* version) {
  *version = kCudaVersion;
  return cudaSuccess;
}

cudaError_t cudaMalloc(void** pointer, std::size_t bytes) {
  CROCUTA_BEGIN("cudaMalloc", cudaErrorMemoryAllocation);
  *pointer = nullptr;
  if (bytes == 0) return cudaSuccess;
  // One of the two answers that a driver may have for what no GPU could hold.
  constexpr std::size_t kAbsurd = std::size_t{1} << 47;
  if (bytes > kAbsurd) return set_error(cudaErrorInvalidValue);
  void* block = allocate_device(current_device, bytes);
  if (block == nullptr) return set_error(cudaErrorMemoryAllocation);
  *pointer = block;
  return cudaSuccess;
}
cudaError_t cudaFree(void* pointer) {
  if (device_count() == 0) return set_error(cudaErrorNoDevice);
  wait_for_stalled_streams();
  // Freed in any case, so that a test of a fault leaves no memory behind.
  const std::string problem = pointer == nullptr ? "" : free_device(pointer);
  CROCUTA_BEGIN_WAITING("cudaFree");
  if (problem.empty()) return cudaSuccess;
  return problem.starts_with("is")
             ? set_error(cudaErrorInvalidValue, "cudaFree: " + hex(pointer) + " " + problem)
             : set_error(cudaErrorIllegalAddress, "cudaFree: " + problem);
}

cudaError_t cudaHostAlloc(void** pointer, std::size_t bytes, unsigned) {
  CROCUTA_BEGIN("cudaHostAlloc", cudaErrorMemoryAllocation);
  *pointer = bytes == 0 ? nullptr : allocate_pinned(bytes);
  if (bytes > 0 && *pointer == nullptr) return set_error(cudaErrorMemoryAllocation);
  return cudaSuccess;
}
cudaError_t cudaMallocHost(void** pointer, std::size_t bytes) {
  CROCUTA_BEGIN("cudaMallocHost", cudaErrorMemoryAllocation);
  return cudaHostAlloc(pointer, bytes, cudaHostAllocDefault);
}
cudaError_t cudaFreeHost(void* pointer) {
  if (device_count() == 0) return set_error(cudaErrorNoDevice);
  const std::string problem = pointer == nullptr ? "" : free_pinned(pointer);
  CROCUTA_BEGIN_WAITING("cudaFreeHost");
  if (problem.empty()) return cudaSuccess;
  return set_error(cudaErrorInvalidValue, "cudaFreeHost: " + hex(pointer) + " " + problem);
}

cudaError_t cudaMemcpy(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind) {
  CROCUTA_BEGIN_WAITING("cudaMemcpy");
  return copy("cudaMemcpy", to, from, bytes, kind);
}
cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream) {
  CROCUTA_BEGIN("cudaMemcpyAsync", cudaErrorInvalidValue);
  if (const cudaError_t error = check_stream(stream); error != cudaSuccess) return error;
  return copy("cudaMemcpyAsync", to, from, bytes, kind);
}
cudaError_t cudaMemcpyPeerAsync(void* to, int to_device, const void* from, int from_device,
                                std::size_t bytes, cudaStream_t stream) {
  CROCUTA_BEGIN("cudaMemcpyPeerAsync", cudaErrorInvalidValue);
  if (!exists(to_device) || !exists(from_device)) return set_error(cudaErrorInvalidDevice);
  if (const cudaError_t error = check_stream(stream); error != cudaSuccess) return error;
  const auto lies_on = [](const void* pointer, int device) {
    const MemoryRange range = find_memory(pointer);
    return range.kind == MemoryKind::device && range.device == device;
  };
  if (bytes > 0 && (!lies_on(to, to_device) || !lies_on(from, from_device))) {
    return set_error(cudaErrorInvalidValue,
                     "cudaMemcpyPeerAsync: a pointer is not memory of the device named");
  }
  return copy("cudaMemcpyPeerAsync", to, from, bytes, cudaMemcpyDeviceToDevice);
}
cudaError_t cudaMemset(void* to, int byte, std::size_t bytes) {
  CROCUTA_BEGIN("cudaMemset", cudaErrorInvalidValue);
  return set("cudaMemset", to, byte, bytes);
}
cudaError_t cudaMemsetAsync(void* to, int byte, std::size_t bytes, cudaStream_t stream) {
  CROCUTA_BEGIN("cudaMemsetAsync", cudaErrorInvalidValue);
  if (const cudaError_t error = check_stream(stream); error != cudaSuccess) return error;
  return set("cudaMemsetAsync", to, byte, bytes);
}

cudaError_t cudaMemGetInfo(std::size_t* free, std::size_t* total) {
  CROCUTA_BEGIN("cudaMemGetInfo", cudaErrorInitializationError);
  *free = free_device_memory(current_device);
  *total = device_memory_bytes();
  return cudaSuccess;
}

cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* attributes, const void* pointer) {
  CROCUTA_BEGIN("cudaPointerGetAttributes", cudaErrorInvalidValue);
  const MemoryRange range = find_memory(pointer);
  auto* address = const_cast<void*>(pointer);
  switch (range.kind) {
    case MemoryKind::device:
      *attributes = {cudaMemoryTypeDevice, range.device, address, nullptr};
      break;
    case MemoryKind::pinned:
      *attributes = {cudaMemoryTypeHost, current_device, address, address};
      break;
    case MemoryKind::other:
      *attributes = {cudaMemoryTypeUnregistered, -2, nullptr, address};
      break;
  }
  return cudaSuccess;
}
