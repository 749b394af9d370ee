#include "emulation/shared_memory.h"

#include <cstdlib>
#include <cstring>
#include <new>

#include "emulation/asan.h"
#include "emulation/canary.h"
#include "emulation/memory.h"

namespace crocuta::emulation {
namespace {
constexpr std::size_t kRedzone = 128;
}  // namespace

SharedMemory::~SharedMemory() {
  for (Area& area : areas_) release(area);
  release(dynamic_);
}

void SharedMemory::reserve(Area& area) {
  const std::size_t rounded = (area.bytes + kRedzone - 1) / kRedzone * kRedzone;
  area.reserved = rounded + 2 * kRedzone;
  auto* memory = static_cast<char*>(std::aligned_alloc(kRedzone, area.reserved));
  if (memory == nullptr) throw std::bad_alloc();
  area.begin = memory + kRedzone;
  const std::size_t behind = rounded - area.bytes + kRedzone;
  fill_canary(memory, kRedzone);
  fill_canary(area.begin + area.bytes, behind);
  forbid(memory, kRedzone);
  forbid(area.begin + area.bytes, behind);
}
void SharedMemory::release(Area& area) {
  if (area.begin == nullptr) return;
  allow(area.begin - kRedzone, area.reserved);
  std::free(area.begin - kRedzone);
  area.begin = nullptr;
}

void SharedMemory::start_launch(std::size_t dynamic_bytes) {
  for (Area& area : areas_) release(area);
  areas_.clear();
  release(dynamic_);
  dynamic_ = {};
  dynamic_.bytes = total_ = dynamic_bytes;
  reserve(dynamic_);
}

void SharedMemory::start_block() {
  for (Area& area : areas_) area.fresh = true;
  dynamic_.fresh = true;
}

void* SharedMemory::touch(Area& area) {
  std::memset(area.begin, kPoison, area.bytes);
  area.fresh = false;
  return area.begin;
}

void* SharedMemory::add(const SharedArray* array, std::size_t limit) {
  total_ += array->bytes;
  if (total_ > limit) return nullptr;
  Area area;
  area.array = array;
  area.bytes = array->bytes;
  reserve(area);
  areas_.push_back(area);
  return touch(areas_.back());
}

bool SharedMemory::damaged(const Area& area) {
  return !is_canary(area.begin - kRedzone, kRedzone) ||
         !is_canary(area.begin + area.bytes, kRedzone);
}
std::string SharedMemory::damage() const {
  if (kAddressSanitizer) return "";
  for (const Area& area : areas_) {
    if (!area.fresh && damaged(area)) {
      return std::string("shared array '") + area.array->name + "' of " +
             std::to_string(area.bytes) + " bytes (" + area.array->site.file + ":" +
             std::to_string(area.array->site.line) + ") was written to outside its bounds";
    }
  }
  if (!dynamic_.fresh && damaged(dynamic_)) {
    return "the " + std::to_string(dynamic_.bytes) +
           " bytes of dynamic shared memory were written to outside their bounds";
  }
  return "";
}

}  // namespace crocuta::emulation
