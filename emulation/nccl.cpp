#include "emulation/nccl.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "emulation/nccl_faults.h"
#include "emulation/shared_rings.h"
#include "emulation/stall.h"

namespace crocuta::emulation {
namespace {

// One message, on its way through a ring: its length, then its bytes.
struct Transfer {
  Ring* ring;
  bool sending;
  char* data;  // on the device
  std::uint64_t bytes;
  std::uint64_t moved = 0;  // of the length and the bytes together

  bool done() const { return moved == sizeof bytes + bytes; }
};

struct Faults {
  std::mutex mutex;
  NcclFault fault;
  std::uint64_t countdown = 0;
};
Faults& faults() {
  static Faults instance;
  return instance;
}

std::optional<NcclFault> fault_of_this_group() {
  Faults& f = faults();
  const std::lock_guard lock(f.mutex);
  if (f.countdown == 0 || --f.countdown > 0) return std::nullopt;
  return f.fault;
}

std::size_t size_of(ncclDataType_t type) {
  switch (type) {
    case ncclInt8:
      return 1;
    case ncclFloat16:
    case ncclBfloat16:
      return 2;
    case ncclInt32:
    case ncclFloat32:
      return 4;
    case ncclInt64:
    case ncclFloat64:
      return 8;
  }
  return 0;
}

thread_local std::string last_error;

ncclResult_t fail(ncclResult_t result, const std::string& why) {
  last_error = why;
  return result;
}

}  // namespace

void fail_nccl_group(NcclFault fault, std::uint64_t n) {
  Faults& f = faults();
  const std::lock_guard lock(f.mutex);
  f.fault = fault;
  f.countdown = n;
}

}  // namespace crocuta::emulation

using namespace crocuta::emulation;

struct ncclComm {
  ncclComm(const std::string& name, int ranks, int rank)
      : rings(name, ranks), ranks(ranks), rank(rank) {}

  SharedRings rings;
  const int ranks, rank;
  std::vector<Transfer> transfers;  // under way, in the order of the calls
  ncclResult_t error = ncclSuccess;
  cudaStream_t stalled = nullptr;
  bool abortable = true;

  // Moves what can be moved now.
  void progress();

 private:
  bool move(Transfer& transfer);
  bool move_length(Transfer& transfer);
};

void ncclComm::progress() {
  using Lane = std::pair<const Ring*, bool>;  // a ring's end
  bool moved = true;
  while (moved && error == ncclSuccess) {
    moved = false;
    std::vector<Lane> busy;  // a later message must not overtake an unfinished one
    for (Transfer& transfer : transfers) {
      const Lane lane(transfer.ring, transfer.sending);
      if (std::find(busy.begin(), busy.end(), lane) != busy.end()) continue;
      while (move(transfer)) moved = true;
      if (!transfer.done()) busy.push_back(lane);
    }
  }
  std::erase_if(transfers, [](const Transfer& transfer) { return transfer.done(); });
}

// False when nothing can be moved for now.
bool ncclComm::move(Transfer& t) {
  if (t.done()) return false;
  if (t.moved < sizeof t.bytes) return move_length(t);
  const std::uint64_t at = t.moved - sizeof t.bytes;
  const std::uint64_t count =
      std::min<std::uint64_t>(t.bytes - at, t.sending ? t.ring->room() : t.ring->filled());
  if (count == 0) return false;
  const cudaError_t status =
      t.sending ? cudaMemcpy(t.ring->write_position(), t.data + at, count, cudaMemcpyDeviceToHost)
                : cudaMemcpy(t.data + at, t.ring->read_position(), count, cudaMemcpyHostToDevice);
  if (status != cudaSuccess) {
    error = fail(ncclUnhandledCudaError, cudaGetErrorString(status));
    return false;
  }
  t.sending ? t.ring->wrote(count) : t.ring->took(count);
  t.moved += count;
  return true;
}

bool ncclComm::move_length(Transfer& t) {
  // Messages of other lengths than expected never arrive, which is the best NCCL could do.
  char* bytes = reinterpret_cast<char*>(&t.bytes);
  if (t.sending) {
    if (t.ring->room() == 0) return false;
    *t.ring->write_position() = bytes[t.moved];
    t.ring->wrote(1);
  } else {
    if (t.ring->filled() == 0 || *t.ring->read_position() != bytes[t.moved]) return false;
    t.ring->took(1);
  }
  ++t.moved;
  return true;
}

namespace {

// The calls between ncclGroupStart and ncclGroupEnd, of this thread.
struct Group {
  int depth = 0;
  ncclComm_t comm = nullptr;
  cudaStream_t stream = nullptr;
  std::vector<Transfer> transfers;
};
thread_local Group group;

// Runs `calls`, in a group of their own unless there is one.
template <class Calls>
ncclResult_t in_group(const Calls& calls) {
  ncclGroupStart();
  const ncclResult_t result = calls();
  const ncclResult_t end = ncclGroupEnd();
  return result == ncclSuccess ? end : result;
}

void join_group(ncclComm_t comm, cudaStream_t stream) {
  group.comm = comm;
  group.stream = stream;
}

ncclResult_t add(ncclComm_t comm, cudaStream_t stream, int peer, bool sending, const void* data,
                 std::size_t bytes) {
  if (comm == nullptr || peer < 0 || peer >= comm->ranks) {
    return fail(ncclInvalidArgument, "no such rank to exchange data with");
  }
  if (!comm->rings.complete()) return fail(ncclInvalidUsage, "the communicator is not yet ready");
  join_group(comm, stream);
  Ring& ring = sending ? comm->rings.ring(comm->rank, peer) : comm->rings.ring(peer, comm->rank);
  group.transfers.push_back({&ring, sending, static_cast<char*>(const_cast<void*>(data)), bytes});
  return ncclSuccess;
}

ncclResult_t copy(void* to, const void* from, std::size_t bytes) {
  if (to == from) return ncclSuccess;
  const cudaError_t status = cudaMemcpy(to, from, bytes, cudaMemcpyDeviceToDevice);
  return status == cudaSuccess ? ncclSuccess
                               : fail(ncclUnhandledCudaError, cudaGetErrorString(status));
}

}  // namespace

ncclResult_t ncclGetVersion(int* version) {
  *version = 22800;
  return ncclSuccess;
}
const char* ncclGetErrorString(ncclResult_t result) {
  switch (result) {
    case ncclSuccess:
      return "no error";
    case ncclUnhandledCudaError:
      return "unhandled cuda error";
    case ncclSystemError:
      return "unhandled system error";
    case ncclInternalError:
      return "internal error";
    case ncclInvalidArgument:
      return "invalid argument";
    case ncclInvalidUsage:
      return "invalid usage";
    case ncclRemoteError:
      return "remote process exited or there was a network error";
    case ncclInProgress:
      return "NCCL operation in progress";
  }
  return "unknown result code";
}
const char* ncclGetLastError(ncclComm_t) {
  return last_error.c_str();
}

ncclResult_t ncclGetUniqueId(ncclUniqueId* id) {
  static std::atomic<int> made = 0;
  const std::string name =
      "/crocuta-nccl-" + std::to_string(getpid()) + "-" + std::to_string(made++);
  std::memset(id->internal, 0, sizeof id->internal);
  std::memcpy(id->internal, name.c_str(), name.size());
  return ncclSuccess;
}

ncclResult_t ncclCommInitRankConfig(ncclComm_t* comm, int ranks, ncclUniqueId id, int rank,
                                    ncclConfig_t* config) {
  if (config == nullptr || config->blocking != 0) {
    return fail(ncclInvalidUsage, "the emulation has no blocking communicators");
  }
  if (rank < 0 || rank >= ranks) return fail(ncclInvalidArgument, "no such rank");
  try {
    *comm = new ncclComm(id.internal, ranks, rank);
  } catch (const std::system_error& error) {
    return fail(ncclSystemError, error.what());
  }
  return ncclInProgress;
}

ncclResult_t ncclCommGetAsyncError(ncclComm_t comm, ncclResult_t* error) {
  if (comm->error == ncclSuccess) comm->progress();
  const bool ready = comm->rings.complete() && comm->transfers.empty();
  *error = comm->error != ncclSuccess ? comm->error : ready ? ncclSuccess : ncclInProgress;
  return ncclSuccess;
}

ncclResult_t ncclCommFinalize(ncclComm_t comm) {
  return comm->transfers.empty() ? ncclSuccess : ncclInProgress;
}
ncclResult_t ncclCommDestroy(ncclComm_t comm) {
  delete comm;
  return ncclSuccess;
}
ncclResult_t ncclCommAbort(ncclComm_t comm) {
  if (!comm->abortable) std::this_thread::sleep_for(std::chrono::hours(1));
  if (comm->stalled != nullptr) resume(comm->stalled);
  delete comm;
  return ncclSuccess;
}

ncclResult_t ncclGroupStart() {
  ++group.depth;
  return ncclSuccess;
}

ncclResult_t ncclGroupEnd() {
  if (group.depth == 0) return fail(ncclInvalidUsage, "ncclGroupEnd without ncclGroupStart");
  if (--group.depth > 0) return ncclSuccess;
  const Group calls = std::exchange(group, {});
  if (calls.comm == nullptr) return ncclSuccess;
  ncclComm& comm = *calls.comm;
  const std::optional<NcclFault> fault = fault_of_this_group();
  if (fault == NcclFault::refusal) return fail(ncclInternalError, "made to fail");
  if (fault == NcclFault::remote_error) {
    comm.error = ncclRemoteError;
  } else if (fault) {
    comm.stalled = calls.stream;
    comm.abortable = fault == NcclFault::stall;
    stall(calls.stream);
    return ncclSuccess;
  }
  comm.transfers.insert(comm.transfers.end(), calls.transfers.begin(), calls.transfers.end());
  return ncclInProgress;
}

ncclResult_t ncclSend(const void* data, std::size_t count, ncclDataType_t type, int peer,
                      ncclComm_t comm, cudaStream_t stream) {
  return in_group([&] { return add(comm, stream, peer, true, data, count * size_of(type)); });
}
ncclResult_t ncclRecv(void* data, std::size_t count, ncclDataType_t type, int peer, ncclComm_t comm,
                      cudaStream_t stream) {
  return in_group([&] { return add(comm, stream, peer, false, data, count * size_of(type)); });
}

ncclResult_t ncclAllGather(const void* in, void* out, std::size_t count, ncclDataType_t type,
                           ncclComm_t comm, cudaStream_t stream) {
  const std::size_t bytes = count * size_of(type);
  char* const blocks = static_cast<char*>(out);
  return in_group([&] {
    join_group(comm, stream);
    ncclResult_t result = copy(blocks + static_cast<std::size_t>(comm->rank) * bytes, in, bytes);
    for (int peer = 0; peer < comm->ranks && result == ncclSuccess; ++peer) {
      if (peer == comm->rank) continue;
      result = add(comm, stream, peer, true, in, bytes);
      if (result != ncclSuccess) break;
      result =
          add(comm, stream, peer, false, blocks + static_cast<std::size_t>(peer) * bytes, bytes);
    }
    return result;
  });
}

ncclResult_t ncclBroadcast(const void* in, void* out, std::size_t count, ncclDataType_t type,
                           int root, ncclComm_t comm, cudaStream_t stream) {
  const std::size_t bytes = count * size_of(type);
  return in_group([&] {
    join_group(comm, stream);
    if (comm->rank != root) return add(comm, stream, root, false, out, bytes);
    ncclResult_t result = copy(out, in, bytes);
    for (int peer = 0; peer < comm->ranks && result == ncclSuccess; ++peer) {
      if (peer != root) result = add(comm, stream, peer, true, in, bytes);
    }
    return result;
  });
}
