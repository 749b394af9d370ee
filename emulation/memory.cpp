#include "emulation/memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string_view>
#include <vector>

#include "emulation/asan.h"
#include "emulation/canary.h"

namespace crocuta::emulation {
namespace {

constexpr std::size_t kRedzone = 256;  // before and after every block; also the alignment
constexpr std::size_t kPage = std::size_t{2} << 20;

std::size_t round_up(std::size_t n, std::size_t to) {
  return (n + to - 1) / to * to;
}

std::size_t number_from_environment(const char* name, std::size_t otherwise) {
  const char* text = std::getenv(name);
  if (text == nullptr || *text == '\0') return otherwise;
  char* end = nullptr;
  const unsigned long long value = std::strtoull(text, &end, 10);
  if (*end != '\0')
    throw std::runtime_error(std::string(name) + ": expected a number, got " + text);
  return value;
}

bool guard_enabled() {
  static const bool enabled = number_from_environment("CROCUTA_EMULATION_GUARD", 1) != 0;
  return enabled;
}

void protect(char* begin, std::size_t bytes, int protection) {
  if (bytes > 0 && mprotect(begin, bytes, protection) != 0) {
    throw std::runtime_error("emulation: mprotect failed");
  }
}

struct Block {
  std::size_t bytes = 0;  // as asked for
  std::size_t slot = 0;   // with the redzone behind it
};

// One device's memory. A block's redzone is before it and, with what rounding adds, behind it.
class Arena {
 public:
  explicit Arena(std::size_t capacity) : capacity_(capacity) {
    // Twice the capacity, for redzones and for gaps between blocks of other sizes.
    reserved_ = round_up(2 * capacity, kPage) + kPage;
    void* mapped = mmap(nullptr, reserved_ + kPage, PROT_NONE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapped == MAP_FAILED) throw std::runtime_error("emulation: cannot reserve device memory");
    base_ = reinterpret_cast<char*>(round_up(reinterpret_cast<std::uintptr_t>(mapped), kPage));
    gaps_[0] = reserved_;
  }

  bool contains(const void* pointer) const {
    const auto* p = static_cast<const char*>(pointer);
    return p >= base_ && p < base_ + reserved_;
  }
  void open() { protect(base_, used_, PROT_READ | PROT_WRITE); }
  void close() { protect(base_, used_, PROT_NONE); }

  // Device memory must be accessible.
  void* allocate(std::size_t bytes) {
    if (bytes > capacity_ - live_) return nullptr;
    const std::size_t slot = round_up(bytes, kRedzone) + kRedzone;  // and one before
    for (auto gap = gaps_.begin(); gap != gaps_.end(); ++gap) {
      const auto [begin, size] = *gap;
      if (size < slot + kRedzone) continue;
      gaps_.erase(gap);
      if (size > slot + kRedzone) gaps_[begin + slot + kRedzone] = size - slot - kRedzone;
      char* block = base_ + begin + kRedzone;
      grow(begin + kRedzone + slot);
      allow(block - kRedzone, kRedzone + slot);
      fill_canary(block - kRedzone, kRedzone);
      std::memset(block, kPoison, bytes);
      fill_canary(block + bytes, slot - bytes);
      forbid(block - kRedzone, kRedzone);
      forbid(block + bytes, slot - bytes);
      blocks_[block] = Block{bytes, slot};
      live_ += bytes;
      return block;
    }
    return nullptr;
  }

  // Device memory must be accessible.
  std::string free(char* pointer) {
    const auto found = blocks_.find(pointer);
    if (found == blocks_.end()) return "is not the start of a block that is in use";
    const std::string damage = damaged(found->first, found->second);
    const auto [bytes, slot] = found->second;
    blocks_.erase(found);
    live_ -= bytes;
    allow(pointer - kRedzone, kRedzone + slot);
    discard(pointer, bytes);
    forbid(pointer - kRedzone, kRedzone + slot);
    add_gap(static_cast<std::size_t>(pointer - kRedzone - base_), slot + kRedzone);
    return damage;
  }

  MemoryRange find(const void* pointer) const {
    auto* p = static_cast<char*>(const_cast<void*>(pointer));
    auto next = blocks_.upper_bound(p);
    MemoryRange range;
    range.kind = MemoryKind::device;
    if (next == blocks_.begin()) return range;
    const auto& [begin, block] = *std::prev(next);
    if (p > begin + block.bytes) return range;
    range.begin = begin;
    range.bytes = block.bytes;
    return range;
  }

  // Device memory must be accessible.
  std::string damage() const {
    for (const auto& [begin, block] : blocks_) {
      if (std::string text = damaged(begin, block); !text.empty()) return text;
    }
    return "";
  }
  std::string damage_of(const void* begin) const {
    const auto found = blocks_.find(static_cast<char*>(const_cast<void*>(begin)));
    return found == blocks_.end() ? "" : damaged(found->first, found->second);
  }

  std::size_t free_bytes() const { return capacity_ - live_; }

 private:
  // Makes the first `end` bytes usable.
  void grow(std::size_t end) {
    end = round_up(end, kPage);
    if (end <= used_) return;
    protect(base_ + used_, end - used_, PROT_READ | PROT_WRITE);
    // Opening and closing is ten times cheaper with huge pages; and the system does not join a
    // range with and one without, only to split them again.
    madvise(base_ + used_, end - used_, MADV_HUGEPAGE);
    forbid(base_ + used_, end - used_);
    used_ = end;
  }

  // Large blocks give their pages back; what is left is poisoned.
  void discard(char* begin, std::size_t bytes) {
    char* first = base_ + round_up(static_cast<std::size_t>(begin - base_), kPage);
    char* last = base_ + static_cast<std::size_t>(begin + bytes - base_) / kPage * kPage;
    if (last <= first) {
      std::memset(begin, kPoison, bytes);
      return;
    }
    std::memset(begin, kPoison, static_cast<std::size_t>(first - begin));
    madvise(first, static_cast<std::size_t>(last - first), MADV_DONTNEED);
    std::memset(last, kPoison, static_cast<std::size_t>(begin + bytes - last));
  }

  void add_gap(std::size_t begin, std::size_t size) {
    auto next = gaps_.lower_bound(begin);
    if (next != gaps_.end() && begin + size == next->first) {
      size += next->second;
      next = gaps_.erase(next);
    }
    if (next != gaps_.begin()) {
      const auto before = std::prev(next);
      if (before->first + before->second == begin) {
        before->second += size;
        return;
      }
    }
    gaps_[begin] = size;
  }

  // AddressSanitizer sees every access to a redzone itself.
  static std::string damaged(const char* begin, const Block& block) {
    if (kAddressSanitizer) return "";
    const bool before = !is_canary(begin - kRedzone, kRedzone);
    if (!before && is_canary(begin + block.bytes, block.slot - block.bytes)) return "";
    return std::string("something wrote ") + (before ? "before the start" : "past the end") +
           " of a block of " + std::to_string(block.bytes) + " bytes";
  }

  std::size_t capacity_, reserved_ = 0;
  std::size_t live_ = 0;  // bytes in blocks
  std::size_t used_ = 0;  // all blocks lie within the first so many bytes
  char* base_ = nullptr;
  std::map<char*, Block> blocks_;
  std::map<std::size_t, std::size_t> gaps_;  // offset, bytes
};

// Everything there is, behind one lock. Never destroyed: tensors of static lifetime may outlive it.
struct Memory {
  std::mutex mutex;
  std::vector<std::unique_ptr<Arena>> arenas;
  std::map<char*, std::size_t> pinned;
  int users = 0;  // DeviceAccess objects

  Memory() {
    for (int i = 0; i < device_count(); ++i) {
      arenas.push_back(std::make_unique<Arena>(device_memory_bytes()));
    }
  }
};
Memory& memory() {
  static auto* memory = new Memory;
  return *memory;
}

}  // namespace

int device_count() {
  static const auto count =
      static_cast<int>(number_from_environment("CROCUTA_EMULATED_DEVICES", 1));
  return count;
}
std::size_t device_memory_bytes() {
  static const std::size_t bytes =
      number_from_environment("CROCUTA_EMULATED_MEMORY", std::size_t{4} << 30);
  return bytes;
}

DeviceAccess::DeviceAccess() {
  const std::lock_guard lock(memory().mutex);
  if (memory().users++ > 0 || !guard_enabled()) return;
  for (const auto& arena : memory().arenas) arena->open();
}
DeviceAccess::~DeviceAccess() {
  const std::lock_guard lock(memory().mutex);
  if (--memory().users > 0 || !guard_enabled()) return;
  for (const auto& arena : memory().arenas) arena->close();
}

void* allocate_device(int device, std::size_t bytes) {
  const DeviceAccess access;
  const std::lock_guard lock(memory().mutex);
  return memory().arenas[static_cast<std::size_t>(device)]->allocate(bytes);
}

std::string free_device(void* pointer) {
  const DeviceAccess access;
  const std::lock_guard lock(memory().mutex);
  for (const auto& arena : memory().arenas) {
    if (arena->contains(pointer)) return arena->free(static_cast<char*>(pointer));
  }
  return "is not device memory";
}

void* allocate_pinned(std::size_t bytes) {
  const std::lock_guard lock(memory().mutex);
  void* pointer = std::aligned_alloc(64, round_up(bytes, 64));
  if (pointer == nullptr) return nullptr;
  std::memset(pointer, kPoison, bytes);
  memory().pinned[static_cast<char*>(pointer)] = bytes;
  return pointer;
}

std::string free_pinned(void* pointer) {
  const std::lock_guard lock(memory().mutex);
  if (memory().pinned.erase(static_cast<char*>(pointer)) == 0) return "is not pinned memory";
  std::free(pointer);
  return "";
}

MemoryRange find_memory(const void* pointer) {
  const std::lock_guard lock(memory().mutex);
  for (std::size_t i = 0; i < memory().arenas.size(); ++i) {
    if (!memory().arenas[i]->contains(pointer)) continue;
    MemoryRange range = memory().arenas[i]->find(pointer);
    range.device = static_cast<int>(i);
    return range;
  }
  auto* p = static_cast<char*>(const_cast<void*>(pointer));
  MemoryRange range;
  auto next = memory().pinned.upper_bound(p);
  if (next == memory().pinned.begin()) return range;
  const auto& [begin, bytes] = *std::prev(next);
  if (p > begin + bytes) return range;
  return {MemoryKind::pinned, 0, begin, bytes};
}

std::string damaged_redzone(int device) {
  const DeviceAccess access;
  const std::lock_guard lock(memory().mutex);
  return memory().arenas[static_cast<std::size_t>(device)]->damage();
}
std::string damaged_redzone_of(const void* begin) {
  if (kAddressSanitizer) return "";
  const DeviceAccess access;
  const std::lock_guard lock(memory().mutex);
  for (const auto& arena : memory().arenas) {
    if (arena->contains(begin)) return arena->damage_of(begin);
  }
  return "";
}

std::size_t free_device_memory(int device) {
  const std::lock_guard lock(memory().mutex);
  return memory().arenas[static_cast<std::size_t>(device)]->free_bytes();
}

}  // namespace crocuta::emulation
