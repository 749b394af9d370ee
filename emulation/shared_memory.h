// The shared memory of the running block: poisoned when it starts, watched at its edges.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "emulation/device_code.h"

namespace crocuta::emulation {

class SharedMemory {
 public:
  ~SharedMemory();

  void start_launch(std::size_t dynamic_bytes);
  void start_block();
  // The running block's memory for `array`, or nullptr if all together are more than `limit` bytes.
  void* find(const SharedArray* array, std::size_t limit) {
    for (Area& area : areas_) {
      if (area.array == array) return area.fresh ? touch(area) : area.begin;
    }
    return add(array, limit);
  }
  void* dynamic() { return dynamic_.fresh ? touch(dynamic_) : dynamic_.begin; }
  std::size_t bytes() const { return total_; }
  // The array past whose end, or before whose start, the block wrote; empty if none.
  std::string damage() const;

 private:
  struct Area {
    const SharedArray* array = nullptr;  // nullptr for dynamic memory
    char* begin = nullptr;
    std::size_t bytes = 0;
    std::size_t reserved = 0;  // with the redzones
    bool fresh = true;         // not used by this block yet
  };
  void* touch(Area& area);
  void* add(const SharedArray* array, std::size_t limit);
  static void reserve(Area& area);
  static void release(Area& area);
  static bool damaged(const Area& area);

  std::vector<Area> areas_;
  Area dynamic_;
  std::size_t total_ = 0;
};

}  // namespace crocuta::emulation
