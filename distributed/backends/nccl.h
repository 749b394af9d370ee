// Ranks that are processes with a GPU each: tensors travel from GPU to GPU by NCCL. Only in builds
// with NCCL; programs use distributed/init.h, which chooses.
#pragma once

#include <memory>
#include <string>

#include "distributed/backends/host_backend.h"

namespace crocuta::distributed::nccl {

// The group of the same ranks as `host`, by which tensors on the CPU go as before and the unique id
// is passed around; those on GPUs go between this rank's GPU, `device`, and the others'.
// Collective. Throws CommError if NCCL fails or a rank does not come in time.
//
// A collective on the GPU returns when it is on its stream; nothing waits for it but what comes
// after it on the device's current stream. If a rank does not join it within options.timeout, the
// CommError is thrown by the next collective or the next wait for the device. A process that is
// stuck on the GPU all the same prints the error's line and ends with status 1.
//
// Sums have the same bits as those of the other backends: NCCL only moves the parts, which a kernel
// of ours adds in rank order.
std::shared_ptr<Backend> make_backend(std::shared_ptr<HostBackend> host, Device device);

// What the ranks of `host` have for GPUs. Collective; `device` is this rank's, which may be the
// CPU.
struct GpuCensus {
  bool any = false;     // a rank has one
  std::string problem;  // "" if each has one of its own; else two ranks that have not, by name
};
GpuCensus count_gpus(HostBackend& host, Device device);

}  // namespace crocuta::distributed::nccl
