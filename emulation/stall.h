// Kernels that do not end. Everything else here has finished when the call that queued it returns.
#pragma once

#include "emulation/runtime_api.h"

namespace crocuta::emulation {

// As if a kernel on `stream` waited for something that does not come: what is put on the stream
// from now on, or on one that waits for its events, is said not to be ready, and who waits for it
// does so, until resume(). It has run, though.
void stall(cudaStream_t stream);
void resume(cudaStream_t stream);

// What calls do that wait for all streams of the device.
void wait_for_stalled_streams();

}  // namespace crocuta::emulation
