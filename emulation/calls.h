// What the runtime's functions have in common.
#pragma once

#include "emulation/errors.h"

namespace crocuta::emulation {

int current_device_of_thread();

// What queuing work on a stream ends with: cudaSuccess if there is such a stream, and no other is
// asked for by expect_stream().
cudaError_t check_stream(cudaStream_t stream);
// From now on work may be queued on this stream only; nullptr ends that. Nothing runs concurrently
// here, so that work on the wrong stream would not show.
void expect_stream(cudaStream_t stream);

// What every call does first: the error with which it must end at once, or cudaSuccess. `likely` is
// what it fails with when it is made to fail.
cudaError_t begin_call(const char* name, cudaError_t likely);
// The same for calls that wait for the device.
cudaError_t begin_waiting_call(const char* name);

}  // namespace crocuta::emulation
