#include "distributed/backends/nccl.h"

#include <unistd.h>

#include <cstring>
#include <utility>

#include "distributed/backends/nccl_communicator.h"
#include "distributed/backends/partition.h"
#include "kernels/cuda/toolbox/device.h"

namespace crocuta::distributed::nccl {
namespace {

ncclDataType_t nccl_type(DType dtype) {
  switch (dtype) {
    case DType::float32:
      return ncclFloat32;
    case DType::float64:
      return ncclFloat64;
    case DType::bfloat16:
      return ncclBfloat16;
    case DType::float16:
      return ncclFloat16;
    case DType::int64:
      return ncclInt64;
    case DType::int32:
      return ncclInt32;
  }
  throw DTypeError("nccl: unknown dtype");
}

class NcclBackend final : public Backend {
 public:
  NcclBackend(std::shared_ptr<HostBackend> host, const Call& call, Device device)
      : Backend(host->rank(), host->members(), host->options),
        device_(device),
        host_(std::move(host)),
        communicator_(host_, call, device) {}

  Device buffers_for(Device device) const override {
    return device.is_cpu() ? Device::cpu() : device_;
  }

  void all_to_all(const Call& call, const void* in, void* out, std::int64_t count) override {
    if (on_host(call)) return by_host(call, &HostBackend::all_to_all, in, out, count);
    run(call, count, [&] {
      communicator_.group([&](ncclComm_t comm) {
        return exchange(
            comm, call, in, [&](int p) { return p * count; }, [&](int) { return count; }, out,
            count);
      });
    });
    count_sent(call, count * (size() - 1));
  }

  void all_gather(const Call& call, const void* in, void* out, std::int64_t count) override {
    if (on_host(call)) return by_host(call, &HostBackend::all_gather, in, out, count);
    run(call, count, [&] { gather(call, in, out, count); });
    count_sent(call, count * (size() - 1));
  }

  void reduce_scatter(const Call& call, const void* in, void* out, std::int64_t count) override {
    if (on_host(call)) return by_host(call, &HostBackend::reduce_scatter, in, out, count);
    const Storage parts(device_, bytes_of(call, count * size()));
    run(call, count, [&] {
      communicator_.group([&](ncclComm_t comm) {
        return exchange(
            comm, call, in, [&](int p) { return p * count; }, [&](int) { return count; },
            parts.data, count);
      });
      reduce_parts(call, device_, parts.data, size(), count, out, communicator_.stream());
    });
    count_sent(call, count * (size() - 1));
  }

  // A reduce-scatter followed by an all-gather, as on the host.
  void all_reduce(const Call& call, const void* in, void* out, std::int64_t count) override {
    if (on_host(call)) return by_host(call, &HostBackend::all_reduce, in, out, count);
    const Partition partition{count, size()};
    const std::int64_t mine = partition.length(rank());
    const Storage parts(device_, bytes_of(call, mine * size()));
    run(call, count, [&] {
      communicator_.group([&](ncclComm_t comm) {
        return exchange(
            comm, call, in, [&](int p) { return partition.bound(p); },
            [&](int p) { return partition.length(p); }, parts.data, mine);
      });
      std::byte* const reduced = at(call, out, partition.bound(rank()));
      reduce_parts(call, device_, parts.data, size(), mine, reduced, communicator_.stream());
      if (count % size() == 0) return gather(call, reduced, out, mine);
      communicator_.group([&](ncclComm_t comm) { return share(comm, call, partition, out); });
    });
    count_sent(call, count - mine + mine * (size() - 1));
  }

  void broadcast(const Call& call, const void* in, void* out, std::int64_t count) override {
    if (on_host(call)) return by_host(call, &HostBackend::broadcast, in, out, count);
    run(call, count, [&] {
      communicator_.group([&](ncclComm_t comm) {
        return ncclBroadcast(in, out, static_cast<std::size_t>(count), nccl_type(call.dtype),
                             call.root, comm, communicator_.stream());
      });
    });
    if (rank() == call.root) count_sent(call, count * (size() - 1));
  }

  void barrier(const Call& call) override {
    on_host(call);
    host_->barrier(call);
  }

  std::shared_ptr<Backend> split(const Call& call, int color, int key) override {
    on_host(call);
    auto part = std::static_pointer_cast<HostBackend>(host_->split(call, color, key));
    if (!part || part->size() == 1) return part;  // who is alone needs no NCCL
    return std::make_shared<NcclBackend>(std::move(part), call, device_);
  }

 private:
  // Whether this collective is the host backend's; what every collective does first.
  bool on_host(const Call& call) {
    host_->options = options;
    communicator_.throw_if_failed();
    return call.memory == Device::Kind::cpu;
  }

  using Function = void (HostBackend::*)(const Call&, const void*, void*, std::int64_t);
  void by_host(const Call& call, Function function, const void* in, void* out, std::int64_t count) {
    (host_.get()->*function)(call, in, out, count);
    std::uint64_t& sent = host_->stats[call.collective].sent_bytes;
    stats[call.collective].sent_bytes += std::exchange(sent, 0);
  }

  void run(const Call& call, std::int64_t count, const std::function<void()>& work) {
    host_->enter(call);
    if (count > 0) communicator_.run(call, options.timeout, work);
  }

  void count_sent(const Call& call, std::int64_t elements) {
    stats[call.collective].sent_bytes += bytes_of(call, elements);
  }

  static std::byte* at(const Call& call, void* data, std::int64_t element) {
    return static_cast<std::byte*>(data) + bytes_of(call, element);
  }
  static const std::byte* at(const Call& call, const void* data, std::int64_t element) {
    return static_cast<const std::byte*>(data) + bytes_of(call, element);
  }

  // Part p of `in`, length(p) elements from begin(p) on, goes to rank p; from each rank come
  // `count` elements, to `out`, in rank order. Empty messages are not sent.
  template <class Begin, class Length>
  ncclResult_t exchange(ncclComm_t comm, const Call& call, const void* in, const Begin& begin,
                        const Length& length, void* out, std::int64_t count) const {
    ncclResult_t result = ncclSuccess;
    for (int p = 0; p < size(); ++p) {
      result = first_failure(result, send(comm, call, at(call, in, begin(p)), length(p), p));
      result = first_failure(result, receive(comm, call, at(call, out, p * count), count, p));
    }
    return result;
  }

  // Each rank has its part of `data`; afterwards all have all of it.
  ncclResult_t share(ncclComm_t comm, const Call& call, const Partition& partition,
                     void* data) const {
    const std::byte* const mine = at(call, data, partition.bound(rank()));
    ncclResult_t result = ncclSuccess;
    for (int p = 0; p < size(); ++p) {
      if (p == rank()) continue;
      std::byte* const its = at(call, data, partition.bound(p));
      result = first_failure(result, send(comm, call, mine, partition.length(rank()), p));
      result = first_failure(result, receive(comm, call, its, partition.length(p), p));
    }
    return result;
  }

  ncclResult_t send(ncclComm_t comm, const Call& call, const void* data, std::int64_t count,
                    int peer) const {
    if (count == 0) return ncclSuccess;
    return ncclSend(data, static_cast<std::size_t>(count), nccl_type(call.dtype), peer, comm,
                    communicator_.stream());
  }
  ncclResult_t receive(ncclComm_t comm, const Call& call, void* data, std::int64_t count,
                       int peer) const {
    if (count == 0) return ncclSuccess;
    return ncclRecv(data, static_cast<std::size_t>(count), nccl_type(call.dtype), peer, comm,
                    communicator_.stream());
  }

  void gather(const Call& call, const void* in, void* out, std::int64_t count) {
    communicator_.group([&](ncclComm_t comm) {
      return ncclAllGather(in, out, static_cast<std::size_t>(count), nccl_type(call.dtype), comm,
                           communicator_.stream());
    });
  }

  const Device device_;
  const std::shared_ptr<HostBackend> host_;
  Communicator communicator_;
};

// One rank's GPU, as the ranks tell each other.
struct Gpu {
  std::int32_t present, index;
  char id[16];  // the same for two ranks if, and only if, they are on one GPU
  char bus[32], machine[64];
};

Gpu describe_gpu(Device device) {
  Gpu gpu{};
  gethostname(gpu.machine, sizeof gpu.machine - 1);
  if (device.is_cpu()) return gpu;
  gpu.present = 1;
  gpu.index = device.index;
  cudaDeviceProp properties;
  kernels::check_cuda(cudaGetDeviceProperties(&properties, device.index),
                      "cudaGetDeviceProperties");
  static_assert(sizeof properties.uuid == sizeof gpu.id);
  std::memcpy(gpu.id, &properties.uuid, sizeof gpu.id);
  kernels::check_cuda(cudaDeviceGetPCIBusId(gpu.bus, sizeof gpu.bus, device.index),
                      "cudaDeviceGetPCIBusId");
  return gpu;
}

}  // namespace

std::shared_ptr<Backend> make_backend(std::shared_ptr<HostBackend> host, Device device) {
  return std::make_shared<NcclBackend>(std::move(host), Call{.collective = Collective::split},
                                       device);
}

GpuCensus count_gpus(HostBackend& host, Device device) {
  const Gpu mine = describe_gpu(device);
  std::vector<Gpu> all(static_cast<std::size_t>(host.size()));
  static_assert(sizeof mine % sizeof(std::int32_t) == 0);
  host.all_gather({.collective = Collective::all_gather, .dtype = DType::int32}, &mine, all.data(),
                  sizeof mine / sizeof(std::int32_t));
  GpuCensus census;
  const auto rank_name = [&](std::size_t r) { return host.rank_name(static_cast<int>(r)); };
  for (std::size_t r = 0; r < all.size(); ++r) {
    census.any = census.any || all[r].present != 0;
    if (!census.problem.empty()) continue;
    if (all[r].present == 0) {
      census.problem = str("none for ", rank_name(r), " on ", printable(all[r].machine));
    }
    for (std::size_t q = 0; q < r && all[r].present != 0; ++q) {
      if (all[q].present == 0 || std::memcmp(all[q].id, all[r].id, sizeof mine.id) != 0) continue;
      census.problem =
          str("cuda:", all[r].index, " (", all[r].bus, " on ", printable(all[r].machine),
              ") for both ", rank_name(q), " and ", rank_name(r));
      break;
    }
  }
  return census;
}

}  // namespace crocuta::distributed::nccl
