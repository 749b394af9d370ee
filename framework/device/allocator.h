// Where tensor memory comes from: caching allocators, one for each device. Blocks given back are
// kept and reused: on the CPU touching fresh pages costs several times the work done on them (large
// blocks sit on huge pages), and on a GPU allocating waits for all kernels.
#pragma once

#include <cstddef>
#include <cstdint>

#include "framework/device/device.h"

namespace crocuta {

struct MemoryStats {
  std::size_t live_bytes = 0;     // held by tensors now
  std::size_t peak_bytes = 0;     // the most live_bytes has been since reset_peak_memory()
  std::size_t cached_bytes = 0;   // kept for reuse
  std::uint64_t allocations = 0;  // calls of allocate() so far
};

// At least `bytes` bytes aligned to 64 (nullptr for 0). Contents are undefined. On a GPU the block
// belongs to `stream`: once given back, it is handed out again for work on the same stream only.
// Throws OutOfMemory saying what was wanted and what is free.
void* allocate(Device device, std::size_t bytes, kernels::Stream stream = nullptr);
// Gives back a pointer from allocate() with the same device, size and stream. Work on that stream
// that uses the block may still be under way.
void deallocate(Device device, void* pointer, std::size_t bytes,
                kernels::Stream stream = nullptr) noexcept;

MemoryStats memory_stats(Device device);
void reset_peak_memory(Device device);
// Returns all cached blocks to the operating system, or to the GPU.
void release_cached_memory(Device device);

// For tests: the n-th allocation from now (1 = the next), on whatever device, throws OutOfMemory,
// once; 0 switches off.
void fail_allocation(std::uint64_t n);

}  // namespace crocuta
