// From a launch to the engine: what the runtime checks before, and what is looked at after.
#include <sys/mman.h>

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <map>
#include <mutex>
#include <string>

#include "emulation/asan.h"
#include "emulation/calls.h"
#include "emulation/engine.h"
#include "emulation/limits.h"
#include "emulation/memory.h"

namespace crocuta::emulation {
namespace {

// What cudaFuncSetAttribute allowed, by kernel.
struct SharedLimits {
  std::mutex mutex;
  std::map<const void*, std::size_t> bytes;
};
SharedLimits& shared_limits() {
  static auto* limits = new SharedLimits;
  return *limits;
}
std::size_t allowed_dynamic_bytes(const void* kernel) {
  const std::lock_guard lock(shared_limits().mutex);
  const auto found = shared_limits().bytes.find(kernel);
  return found == shared_limits().bytes.end() ? kDefaultSharedBytes : found->second;
}

std::string describe(const dim3& size) {
  return text(uint3{size.x, size.y, size.z});
}

// Sets the error of a launch that cannot be.
bool acceptable(const Launch& launch) {
  const std::string kernel = std::string("kernel '") + launch.name + "': ";
  const dim3& grid = launch.grid;
  const dim3& block = launch.block;
  if (grid.x == 0 || grid.y == 0 || grid.z == 0 || grid.x > unsigned{kMaxGridX} ||
      grid.y > unsigned{kMaxGridYZ} || grid.z > unsigned{kMaxGridYZ}) {
    set_error(cudaErrorInvalidConfiguration,
              kernel + "a grid of " + describe(grid) +
                  " blocks, at most (2147483647,65535,65535) and at least one can be");
    return false;
  }
  const std::uint64_t threads = std::uint64_t{block.x} * block.y * block.z;
  if (threads == 0 || threads > kMaxThreads || block.x > unsigned{kMaxThreads} ||
      block.y > unsigned{kMaxThreads} || block.z > unsigned{kMaxBlockZ}) {
    set_error(cudaErrorInvalidConfiguration,
              kernel + "a block of " + describe(block) + " threads, 1 to 1024 can be, 64 along z");
    return false;
  }
  if (const std::size_t most = allowed_dynamic_bytes(launch.kernel); launch.shared_bytes > most) {
    set_error(cudaErrorInvalidValue, kernel + std::to_string(launch.shared_bytes) +
                                         " bytes of dynamic shared memory, allowed are " +
                                         std::to_string(most));
    return false;
  }
  return true;
}

// Whether a pointer into this page could be followed. Numbers in a struct may look like pointers,
// but hardly ever like one to memory there is.
bool is_mapped(std::uintptr_t address) {
  // AddressSanitizer's own memory, which pairs of small numbers look like pointers to.
  constexpr std::uintptr_t kShadowEnd = 0x10007fff8000;
  if (kAddressSanitizer && address < kShadowEnd) return false;
  constexpr std::uintptr_t kPage = 4096;
  return msync(reinterpret_cast<void*>(address / kPage * kPage), kPage, MS_ASYNC) == 0;
}

// Calls visit(pointer, which) for each argument that is a pointer, and each word of a struct that
// is likely to be one, until it returns true.
template <class Visit>
void for_each_pointer(const Launch& launch, Visit visit) {
  for (int i = 0; i < launch.argument_count; ++i) {
    const Argument& argument = launch.arguments[i];
    if (!argument.is_pointer && !argument.is_struct) continue;
    for (std::size_t at = 0; at + sizeof(void*) <= argument.size; at += sizeof(void*)) {
      std::uintptr_t address = 0;
      std::memcpy(&address, static_cast<const char*>(argument.bytes) + at, sizeof address);
      // Above sizes and below what a user's addresses end with.
      if (argument.is_struct && (address >> 32 == 0 || address >> 47 != 0)) continue;
      const void* pointer = reinterpret_cast<const void*>(address);
      const MemoryRange range = find_memory(pointer);
      if (argument.is_struct && range.kind == MemoryKind::other && !is_mapped(address)) continue;
      if (pointer != nullptr && visit(pointer, range, "argument " + std::to_string(i + 1))) return;
    }
  }
}

// A GPU can reach its own memory and pinned host memory only.
std::string pointer_problem(const MemoryRange& range) {
  if (range.kind == MemoryKind::other) return "points to host memory";
  if (range.begin == nullptr) return "points to device memory that is in no block in use";
  if (range.kind == MemoryKind::device && range.device != current_device_of_thread()) {
    return "points to memory of device " + std::to_string(range.device) + ", but device " +
           std::to_string(current_device_of_thread()) + " is current";
  }
  return "";
}

std::string pointer_problems(const Launch& launch) {
  std::string text;
  for_each_pointer(launch, [&](const void* pointer, const MemoryRange& range,
                               const std::string& which) {
    const std::string problem = pointer_problem(range);
    if (problem.empty()) return false;
    char address[32];
    std::snprintf(address, sizeof address, "%p", pointer);
    text = std::string("kernel '") + launch.name + "': " + which + ", " + address + ", " + problem;
    return true;
  });
  return text;
}

// Only the blocks that were given to the kernel are looked at, since all of them would take long.
std::string redzone_problems(const Launch& launch) {
  std::string text;
  if (kAddressSanitizer) return text;
  for_each_pointer(launch, [&](const void*, const MemoryRange& range, const std::string& which) {
    if (range.kind != MemoryKind::device) return false;
    const std::string damage = damaged_redzone_of(range.begin);
    if (damage.empty()) return false;
    text = std::string("after kernel '") + launch.name + "': " + damage + ", that of " + which;
    return true;
  });
  return text;
}

}  // namespace

void launch(const Launch& launch) {
  if (begin_call("cudaLaunchKernel", cudaErrorLaunchOutOfResources) != cudaSuccess) return;
  if (call_fails(launch.name)) {
    set_error(cudaErrorLaunchOutOfResources,
              std::string("kernel '") + launch.name + "' was made to fail");
    return;
  }
  if (check_stream(launch.stream) != cudaSuccess) return;
  if (!acceptable(launch) || fault_pending()) return;
  if (launch_faults()) {
    start_fault(std::string("kernel '") + launch.name + "' was made to fault");
    return;
  }
  if (const std::string problem = pointer_problems(launch); !problem.empty()) {
    set_error(cudaErrorLaunchFailure, problem);
    return;
  }
  const DeviceAccess access;
  const bool opted_in = allowed_dynamic_bytes(launch.kernel) != kDefaultSharedBytes;
  const Engine::Failure failure = Engine::of_this_thread().run(
      launch, static_cast<std::size_t>(opted_in ? kMaxSharedBytes : kDefaultSharedBytes));
  if (failure.error != cudaSuccess) {
    set_error(failure.error, failure.text);
  } else if (const std::string problem = redzone_problems(launch); !problem.empty()) {
    set_error(cudaErrorIllegalAddress, problem);
  }
}

}  // namespace crocuta::emulation

using namespace crocuta::emulation;

cudaError_t cudaFuncSetAttribute(const void* kernel, cudaFuncAttribute attribute, int value) {
  if (const cudaError_t error = begin_call("cudaFuncSetAttribute", cudaErrorInvalidValue);
      error != cudaSuccess) {
    return error;
  }
  if (attribute == cudaFuncAttributePreferredSharedMemoryCarveout) return cudaSuccess;
  if (attribute != cudaFuncAttributeMaxDynamicSharedMemorySize || value < 0 ||
      value > kMaxSharedBytes) {
    return set_error(cudaErrorInvalidValue,
                     std::to_string(value) + " bytes of dynamic shared memory, at most " +
                         std::to_string(kMaxSharedBytes) + " can be allowed");
  }
  const std::lock_guard lock(shared_limits().mutex);
  shared_limits().bytes[kernel] = static_cast<std::size_t>(value);
  return cudaSuccess;
}
