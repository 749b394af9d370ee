// The memory of emulated GPUs: one reserved range of addresses per device, in which every block
// lies between redzones and which host code cannot touch.
#pragma once

#include <cstddef>
#include <string>

namespace crocuta::emulation {

// Fresh device memory, pinned host memory, and freed memory are full of this: NaNs, and -1s.
inline constexpr unsigned char kPoison = 0xff;

int device_count();
std::size_t device_memory_bytes();

// While one of these lives, in any thread, device memory is accessible: kernels, copies and the
// emulated libraries hold one. Without, touching it is a segmentation fault, as a GPU's would be.
// CROCUTA_EMULATION_GUARD=0 in the environment switches the guard off.
class DeviceAccess {
 public:
  DeviceAccess();
  ~DeviceAccess();
  DeviceAccess(const DeviceAccess&) = delete;
  DeviceAccess& operator=(const DeviceAccess&) = delete;
};

// nullptr if the device has less free.
void* allocate_device(int device, std::size_t bytes);
void* allocate_pinned(std::size_t bytes);
// What is wrong with the pointer or the memory around it; empty if nothing is.
std::string free_device(void* pointer);
std::string free_pinned(void* pointer);

enum class MemoryKind { other, device, pinned };
struct MemoryRange {
  MemoryKind kind = MemoryKind::other;
  int device = 0;
  const char* begin = nullptr;  // of the block, live for pointers into one; nullptr if none is
  std::size_t bytes = 0;
};
// Where a pointer points: into or just past the end of a block of device or pinned memory, to a
// device's memory where no block is, or elsewhere.
MemoryRange find_memory(const void* pointer);

// The first block of the device whose redzone was written to, as text; empty if none was.
std::string damaged_redzone(int device);
// The same for the block at `begin` alone.
std::string damaged_redzone_of(const void* begin);

std::size_t free_device_memory(int device);

}  // namespace crocuta::emulation
