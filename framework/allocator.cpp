#include "framework/allocator.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <fstream>
#include <iomanip>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "framework/error.h"

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

// Under AddressSanitizer every block is its own malloc, so that it sees each block's bounds and
// each use after free.
#if defined(CROCUTA_ADDRESS_SANITIZER)
constexpr bool kCaching = false;
#else
constexpr bool kCaching = true;
#endif
constexpr std::size_t kAlignment = 64;
constexpr std::size_t kHugePage = std::size_t{2} << 20;

// Four sizes per octave: at most a quarter of a block is wasted, and blocks meet again.
std::size_t size_class(std::size_t bytes) {
  if (bytes <= 256) return (bytes + kAlignment - 1) / kAlignment * kAlignment;
  const std::size_t step = std::bit_floor(bytes - 1) / 4;
  const std::size_t rounded = (bytes + step - 1) / step * step;
  return rounded >= kHugePage ? (rounded + kHugePage - 1) / kHugePage * kHugePage : rounded;
}

// Fresh memory from the operating system, or nullptr.
void* map_block(std::size_t bytes) {
  if (!kCaching || bytes < kHugePage) {
    return std::aligned_alloc(kAlignment, (bytes + kAlignment - 1) / kAlignment * kAlignment);
  }
  // Map one huge page more than needed, then give back what is not aligned.
  void* mapped =
      mmap(nullptr, bytes + kHugePage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) return nullptr;
  const auto start = reinterpret_cast<std::uintptr_t>(mapped);
  const std::uintptr_t aligned = (start + kHugePage - 1) / kHugePage * kHugePage;
  if (aligned > start) munmap(mapped, aligned - start);
  if (const std::size_t tail = start + kHugePage - aligned; tail > 0) {
    munmap(reinterpret_cast<void*>(aligned + bytes), tail);
  }
  void* block = reinterpret_cast<void*>(aligned);
  madvise(block, bytes, MADV_HUGEPAGE);
  return block;
}

void unmap_block(void* block, std::size_t bytes) {
  if (!kCaching || bytes < kHugePage) {
    std::free(block);
  } else {
    munmap(block, bytes);
  }
}

// Bytes that can still be had without swapping: the machine's available memory.
std::size_t available_memory() {
  std::ifstream info("/proc/meminfo");
  std::string key, unit;
  std::size_t kib = 0;
  while (info >> key >> kib >> unit) {
    if (key == "MemAvailable:") return kib * 1024;
  }
  return static_cast<std::size_t>(sysconf(_SC_PHYS_PAGES)) *
         static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

std::string gibibytes(std::size_t bytes) {
  std::ostringstream out;
  if (bytes < std::size_t{1} << 20) {
    out << bytes << " bytes";
  } else if (bytes < std::size_t{1} << 30) {
    out << std::fixed << std::setprecision(2) << static_cast<double>(bytes) * 0x1p-20 << " MiB";
  } else {
    out << std::fixed << std::setprecision(2) << static_cast<double>(bytes) * 0x1p-30 << " GiB";
  }
  return out.str();
}

class CachingAllocator {
 public:
  void* allocate(std::size_t bytes) {
    if (bytes == 0) return nullptr;
    const std::lock_guard lock(mutex_);
    ++stats_.allocations;
    if (countdown_ > 0 && --countdown_ == 0) out_of_memory(bytes, 0);
    // A request beyond any machine must not overflow the rounding.
    const std::size_t rounded = bytes > SIZE_MAX / 2 ? bytes : size_class(bytes);
    void* block = take_cached(rounded);
    if (block == nullptr) {
      // The kernel promises memory it does not have; ask before touching large blocks.
      if (rounded >= kLarge && rounded > available_memory()) {
        drop_cache();
        if (const std::size_t free = available_memory(); rounded > free) {
          out_of_memory(bytes, free);
        }
      }
      block = map_block(rounded);
      if (block == nullptr) {
        drop_cache();
        block = map_block(rounded);
      }
      if (block == nullptr) out_of_memory(bytes, available_memory());
    }
    stats_.live_bytes += rounded;
    stats_.peak_bytes = std::max(stats_.peak_bytes, stats_.live_bytes);
    return block;
  }

  void deallocate(void* block, std::size_t bytes) noexcept {
    if (block == nullptr) return;
    const std::lock_guard lock(mutex_);
    const std::size_t rounded = size_class(bytes);
    stats_.live_bytes -= rounded;
    if (!kCaching) {
      unmap_block(block, rounded);
      return;
    }
    stats_.cached_bytes += rounded;
    free_[rounded].push_back(block);
  }

  MemoryStats stats() {
    const std::lock_guard lock(mutex_);
    return stats_;
  }
  void reset_peak() {
    const std::lock_guard lock(mutex_);
    stats_.peak_bytes = stats_.live_bytes;
  }
  void release() {
    const std::lock_guard lock(mutex_);
    drop_cache();
  }
  void fail_at(std::uint64_t n) {
    const std::lock_guard lock(mutex_);
    countdown_ = n;
  }

 private:
  static constexpr std::size_t kLarge = std::size_t{64} << 20;

  void* take_cached(std::size_t rounded) {
    const auto found = free_.find(rounded);
    if (found == free_.end() || found->second.empty()) return nullptr;
    void* block = found->second.back();
    found->second.pop_back();
    stats_.cached_bytes -= rounded;
    return block;
  }

  void drop_cache() {
    for (auto& [bytes, blocks] : free_) {
      for (void* block : blocks) unmap_block(block, bytes);
    }
    free_.clear();
    stats_.cached_bytes = 0;
  }

  [[noreturn]] void out_of_memory(std::size_t wanted, std::size_t free) {
    throw OutOfMemory(str("allocate: out of memory on cpu: wanted ", gibibytes(wanted), ", ",
                          gibibytes(free), " free; try a smaller batch size or sequence length"));
  }

  std::mutex mutex_;
  MemoryStats stats_;
  std::map<std::size_t, std::vector<void*>> free_;
  std::uint64_t countdown_ = 0;
};

// Never destroyed: tensors of static lifetime may outlive everything else.
CachingAllocator& allocator_of(Device device) {
  require_available("allocate", device);
  static auto* cpu = new CachingAllocator;
  return *cpu;
}
}  // namespace

void* allocate(Device device, std::size_t bytes) {
  return allocator_of(device).allocate(bytes);
}
void deallocate(Device device, void* pointer, std::size_t bytes) noexcept {
  allocator_of(device).deallocate(pointer, bytes);
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
  allocator_of(Device::cpu()).fail_at(n);
}

}  // namespace crocuta
