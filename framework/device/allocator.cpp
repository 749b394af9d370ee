#include "framework/device/allocator.h"

#include <algorithm>
#include <atomic>
#include <bit>

#include "framework/base/error.h"
#include "framework/device/allocator_cache.h"
#include "framework/device/available_memory.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define CROCUTA_ADDRESS_SANITIZER 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define CROCUTA_ADDRESS_SANITIZER 1
#endif

namespace crocuta {
namespace {

std::atomic<std::uint64_t> allocations_until_failure = 0;  // 0: none is to fail

bool is_to_fail() {
  std::uint64_t left = allocations_until_failure.load(std::memory_order_relaxed);
  while (left > 0) {
    if (allocations_until_failure.compare_exchange_weak(left, left - 1)) return left == 1;
  }
  return false;
}

}  // namespace

#if defined(CROCUTA_ADDRESS_SANITIZER)
const bool CachingAllocator::kAddressSanitizer = true;
#else
const bool CachingAllocator::kAddressSanitizer = false;
#endif

// Four sizes per octave: at most a quarter of a block is wasted, and blocks meet again.
std::size_t CachingAllocator::size_class(std::size_t bytes) const {
  if (!caching_) return bytes;
  if (bytes > SIZE_MAX / 2) return bytes;  // beyond any machine: must not overflow the rounding
  if (bytes <= 256) return (bytes + kAlignment - 1) / kAlignment * kAlignment;
  const std::size_t step = std::bit_floor(bytes - 1) / 4;
  const std::size_t rounded = (bytes + step - 1) / step * step;
  return rounded >= kHugePage ? (rounded + kHugePage - 1) / kHugePage * kHugePage : rounded;
}

void* CachingAllocator::allocate(std::size_t bytes, kernels::Stream stream) {
  if (bytes == 0) return nullptr;
  const std::lock_guard lock(mutex_);
  ++stats_.allocations;
  if (is_to_fail()) out_of_memory(bytes, "0 bytes free");
  const std::size_t rounded = size_class(bytes);
  void* block = take_cached(rounded, stream);
  if (block == nullptr) block = take(rounded);
  if (block == nullptr) {
    drop_cache();
    block = take(rounded);
  }
  if (block == nullptr) out_of_memory(bytes, free_memory());
  stats_.live_bytes += rounded;
  stats_.peak_bytes = std::max(stats_.peak_bytes, stats_.live_bytes);
  return block;
}

void CachingAllocator::deallocate(void* block, std::size_t bytes, kernels::Stream stream) noexcept {
  if (block == nullptr) return;
  const std::lock_guard lock(mutex_);
  const std::size_t rounded = size_class(bytes);
  stats_.live_bytes -= rounded;
  if (caching_) {
    try {
      free_[{stream, rounded}].push_back(block);
      stats_.cached_bytes += rounded;
      return;
    } catch (const std::bad_alloc&) {
      // No memory for the list: the block itself goes back.
    }
  }
  give_back(block, rounded);
}

MemoryStats CachingAllocator::stats() {
  const std::lock_guard lock(mutex_);
  return stats_;
}
void CachingAllocator::reset_peak() {
  const std::lock_guard lock(mutex_);
  stats_.peak_bytes = stats_.live_bytes;
}
void CachingAllocator::release() {
  const std::lock_guard lock(mutex_);
  drop_cache();
}

void* CachingAllocator::take_cached(std::size_t rounded, kernels::Stream stream) {
  const auto found = free_.find({stream, rounded});
  if (found == free_.end() || found->second.empty()) return nullptr;
  void* block = found->second.back();
  found->second.pop_back();
  stats_.cached_bytes -= rounded;
  return block;
}

void CachingAllocator::drop_cache() {
  for (auto& [key, blocks] : free_) {
    for (void* block : blocks) give_back(block, key.second);
  }
  free_.clear();
  stats_.cached_bytes = 0;
}

void CachingAllocator::out_of_memory(std::size_t wanted, const std::string& free) {
  throw OutOfMemory(str("out of memory on ", device_, ": wanted ",
                        memory_text(static_cast<double>(wanted)), ", ", free,
                        "; try a smaller batch size or sequence length"));
}

namespace {

// Never destroyed: tensors of static lifetime may outlive everything else.
CachingAllocator& allocator_of(Device device) {
  static auto* const cpu = make_cpu_allocator().release();
  if (device.is_cpu()) return *cpu;
  require_available("allocate", device);
#if defined(CROCUTA_WITH_CUDA)
  static auto* const gpus = [] {
    auto* all = new std::vector<std::unique_ptr<CachingAllocator>>;
    for (int i = 0; i < cuda_device_count(); ++i) {
      all->push_back(make_cuda_allocator(Device::cuda(i)));
    }
    return all;
  }();
  return *gpus->at(static_cast<std::size_t>(device.index));
#else
  return *cpu;
#endif
}

}  // namespace

void* allocate(Device device, std::size_t bytes, kernels::Stream stream) {
  return allocator_of(device).allocate(bytes, stream);
}
void deallocate(Device device, void* pointer, std::size_t bytes, kernels::Stream stream) noexcept {
  if (pointer != nullptr) allocator_of(device).deallocate(pointer, bytes, stream);
}
MemoryStats memory_stats(Device device) {
  return allocator_of(device).stats();
}
void reset_peak_memory(Device device) {
  allocator_of(device).reset_peak();
}
void release_cached_memory(Device device) {
  allocator_of(device).release();
}
void fail_allocation(std::uint64_t n) {
  allocations_until_failure = n;
}

}  // namespace crocuta
