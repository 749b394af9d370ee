// What a backend reads and writes in one collective.
#pragma once

#include <optional>

#include "framework/device/device_copy.h"
#include "framework/tensor/tensor.h"

namespace crocuta::distributed {

// x's elements, and room for the result, on the device where the backend wants them. Between a GPU
// and the host they go through pinned memory, in the order of the GPU's current stream: for x's
// elements the constructor waits, for the result to be back on the GPU nobody does.
class Buffers {
 public:
  Buffers(const Tensor& x, Shape result, Device place);

  const void* in() const;
  void* out();
  // What is in out(), on x's device. Call it once.
  Tensor result();

 private:
  const Device device_;  // x's
  Tensor in_, out_;
  std::optional<PinnedBuffer> staged_in_, staged_out_;
};

}  // namespace crocuta::distributed
