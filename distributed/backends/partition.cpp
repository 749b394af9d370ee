#include "distributed/backends/partition.h"

#include "framework/tensor/dispatch.h"
#include "kernels/parts.h"

namespace crocuta::distributed {

void reduce_parts(const Call& call, Device device, const void* parts, int ranks, std::int64_t count,
                  void* out, kernels::Stream stream) {
  dispatch_any(device, call.dtype, [&]<class Device, class T>() {
    const auto run = call.reduce == ReduceOp::sum ? kernels::sum_parts<Device, T>
                                                  : kernels::max_parts<Device, T>;
    run(ranks, count, static_cast<const T*>(parts), static_cast<T*>(out), stream);
  });
}

}  // namespace crocuta::distributed
