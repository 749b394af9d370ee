// Moving bytes between the memories of the CPU and of the GPUs.
#pragma once

#include <cstddef>

#include "framework/device/device.h"

namespace crocuta {

// Host memory that is page-locked, so that `device`, a GPU, reads and writes it by itself while the
// CPU goes on; ordinary memory if there is no more of that. Kept for reuse, by others when what
// load() and store() have begun is done.
class PinnedBuffer {
 public:
  // `bytes` > 0 bytes aligned to 64. Throws OutOfMemory.
  PinnedBuffer(Device device, std::size_t bytes);
  PinnedBuffer(PinnedBuffer&& other) noexcept;
  ~PinnedBuffer();

  std::byte* data() const;
  // Copy from, and to, the GPU's memory in the order of its current stream; wait() waits for that.
  void load(const void* from, std::size_t bytes);
  void store(void* to, std::size_t bytes);
  void wait() const;

  struct Block;

 private:
  void used_by(kernels::Stream stream);

  Block* block_;
};

// Copies bytes from any device to any other. Ordered after what both devices' current streams hold;
// when it returns, `to` can be read in host memory, and `from` be changed there.
void copy_bytes(Device to_device, void* to, Device from_device, const void* from,
                std::size_t bytes);

}  // namespace crocuta
