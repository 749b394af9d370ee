// How tests make the emulated NCCL fail.
#pragma once

#include <cstdint>

namespace crocuta::emulation {

enum class NcclFault {
  refusal,        // ncclGroupEnd fails
  remote_error,   // a rank is gone: ncclCommGetAsyncError says so
  stall,          // the kernels start and do not end until the communicator is aborted
  endless_stall,  // the same, and aborting does not help
};

// The n-th group of this process from now on (1 = the next) ends in this way.
void fail_nccl_group(NcclFault fault, std::uint64_t n);

}  // namespace crocuta::emulation
