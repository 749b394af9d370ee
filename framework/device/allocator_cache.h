// What the allocators of all devices have in common: the cache, the counters, the error.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "framework/device/allocator.h"

namespace crocuta {

class CachingAllocator {
 public:
  CachingAllocator(Device device, bool caching) : device_(device), caching_(caching) {}
  virtual ~CachingAllocator() = default;
  CachingAllocator(const CachingAllocator&) = delete;
  CachingAllocator& operator=(const CachingAllocator&) = delete;

  void* allocate(std::size_t bytes, kernels::Stream stream);
  void deallocate(void* block, std::size_t bytes, kernels::Stream stream) noexcept;
  MemoryStats stats();
  void reset_peak();
  void release();

 protected:
  static constexpr std::size_t kAlignment = 64;
  static constexpr std::size_t kHugePage = std::size_t{2} << 20;
  // Under AddressSanitizer nothing is kept, so that it sees each block's bounds and each use after
  // free.
  static const bool kAddressSanitizer;

  Device device() const { return device_; }
  // Whether blocks are kept; if not, each has just the bytes that were asked for.
  bool caching() const { return caching_; }

  // Fresh memory from the device, or nullptr.
  virtual void* take(std::size_t bytes) = 0;
  virtual void give_back(void* block, std::size_t bytes) noexcept = 0;
  // What can still be had, as in "0.90 GiB free".
  virtual std::string free_memory() = 0;

 private:
  using Blocks = std::map<std::pair<kernels::Stream, std::size_t>, std::vector<void*>>;

  std::size_t size_class(std::size_t bytes) const;
  void* take_cached(std::size_t rounded, kernels::Stream stream);
  void drop_cache();
  [[noreturn]] void out_of_memory(std::size_t wanted, const std::string& free);

  const Device device_;
  const bool caching_;
  // Held while the device gives and takes memory, for which CUDA may wait until it is idle, perhaps
  // in a collective that lacks another rank's part. Each device has an allocator of its own, so a
  // rank that is a thread of this process does not wait here for another's device.
  std::mutex mutex_;
  MemoryStats stats_;
  Blocks free_;
};

std::unique_ptr<CachingAllocator> make_cpu_allocator();
// In a build with CUDA. CROCUTA_CUDA_CACHE=0 in the environment switches caching off, for tools
// that look for accesses out of bounds.
std::unique_ptr<CachingAllocator> make_cuda_allocator(Device device);

}  // namespace crocuta
