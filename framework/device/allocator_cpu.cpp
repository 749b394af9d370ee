#include <sys/mman.h>

#include <cstdlib>

#include "framework/base/error.h"
#include "framework/device/allocator_cache.h"
#include "framework/device/available_memory.h"

namespace crocuta {
namespace {

class CpuAllocator final : public CachingAllocator {
 public:
  CpuAllocator() : CachingAllocator(Device::cpu(), !kAddressSanitizer) {}

 protected:
  void* take(std::size_t bytes) override {
    // The kernel promises memory it does not have; ask before touching large blocks.
    if (bytes >= kLarge && bytes > available_memory()) return nullptr;
    if (!caching() || bytes < kHugePage) {
      return std::aligned_alloc(kAlignment, (bytes + kAlignment - 1) / kAlignment * kAlignment);
    }
    // Map one huge page more than needed, then give back what is not aligned.
    void* mapped = mmap(nullptr, bytes + kHugePage, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
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

  void give_back(void* block, std::size_t bytes) noexcept override {
    if (!caching() || bytes < kHugePage) {
      std::free(block);
    } else {
      munmap(block, bytes);
    }
  }

  std::string free_memory() override {
    return memory_text(static_cast<double>(available_memory())) + " free";
  }

 private:
  static constexpr std::size_t kLarge = std::size_t{64} << 20;
};

}  // namespace

std::unique_ptr<CachingAllocator> make_cpu_allocator() {
  return std::make_unique<CpuAllocator>();
}

}  // namespace crocuta
