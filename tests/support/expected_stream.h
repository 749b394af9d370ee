// Where GPUs are emulated: work on any other stream than the current one is an error.
#pragma once

#include "framework/device/device.h"

#if defined(CROCUTA_CUDA_EMULATED)
#include "emulation/calls.h"
#endif

namespace crocuta::test {

// While this lives, all work that is queued on the GPU must go to its current stream.
class ExpectCurrentStream {
 public:
#if defined(CROCUTA_CUDA_EMULATED)
  ExpectCurrentStream() {
    if (cuda_device_count() == 0) return;
    emulation::expect_stream(static_cast<cudaStream_t>(current_stream(Device::cuda())));
  }
  ~ExpectCurrentStream() {
    emulation::expect_stream(nullptr);
  }
  ExpectCurrentStream(const ExpectCurrentStream&) = delete;
  ExpectCurrentStream& operator=(const ExpectCurrentStream&) = delete;
#else
  ExpectCurrentStream() {}
#endif
};

}  // namespace crocuta::test
