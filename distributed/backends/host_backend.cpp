#include "distributed/backends/host_backend.h"

#include <algorithm>
#include <cstring>

#include "distributed/backends/partition.h"

namespace crocuta::distributed {
namespace {

// The same part size for every rank, `stride` bytes apart.
std::vector<SendPart> send_parts(int ranks, const void* data, std::size_t bytes,
                                 std::size_t stride) {
  std::vector<SendPart> parts(static_cast<std::size_t>(ranks));
  for (std::size_t p = 0; p < parts.size(); ++p) {
    parts[p] = {static_cast<const std::byte*>(data) + p * stride, bytes};
  }
  return parts;
}
std::vector<ReceivePart> receive_parts(int ranks, void* data, std::size_t bytes) {
  std::vector<ReceivePart> parts(static_cast<std::size_t>(ranks));
  for (std::size_t p = 0; p < parts.size(); ++p) {
    parts[p] = {static_cast<std::byte*>(data) + p * bytes, bytes};
  }
  return parts;
}

}  // namespace

void HostBackend::move(const Call& call, std::span<const SendPart> sends,
                       std::span<const ReceivePart> receives) {
  exchange(call, sends, receives);
  CommCount& count = stats[call.collective];
  for (std::size_t p = 0; p < sends.size(); ++p) {
    if (static_cast<int>(p) != rank()) count.sent_bytes += sends[p].bytes;
  }
}

void HostBackend::all_to_all(const Call& call, const void* in, void* out, std::int64_t count) {
  agree(call);
  const std::size_t bytes = bytes_of(call, count);
  move(call, send_parts(size(), in, bytes, bytes), receive_parts(size(), out, bytes));
}

void HostBackend::all_gather(const Call& call, const void* in, void* out, std::int64_t count) {
  agree(call);
  const std::size_t bytes = bytes_of(call, count);
  move(call, send_parts(size(), in, bytes, 0), receive_parts(size(), out, bytes));
}

void HostBackend::reduce_scatter(const Call& call, const void* in, void* out, std::int64_t count) {
  agree(call);
  const std::size_t bytes = bytes_of(call, count);
  const Storage parts(Device::cpu(), bytes * static_cast<std::size_t>(size()));
  move(call, send_parts(size(), in, bytes, bytes), receive_parts(size(), parts.data, bytes));
  reduce_parts(call, Device::cpu(), parts.data, size(), count, out, nullptr);
}

// A reduce-scatter followed by an all-gather: each rank sends 2 (P-1)/P of the buffer, which is the
// least possible.
void HostBackend::all_reduce(const Call& call, const void* in, void* out, std::int64_t count) {
  agree(call);
  const Partition partition{count, size()};
  const auto at = [&](std::int64_t p) { return bytes_of(call, partition.bound(p)); };
  const auto bytes = [&](std::int64_t p) { return bytes_of(call, partition.length(p)); };
  const std::byte* const source = static_cast<const std::byte*>(in);
  std::byte* const target = static_cast<std::byte*>(out);
  const std::int64_t mine = partition.length(rank());
  const Storage parts(Device::cpu(), bytes(rank()) * static_cast<std::size_t>(size()));

  std::vector<SendPart> sends;
  for (int p = 0; p < size(); ++p) sends.push_back({source + at(p), bytes(p)});
  move(call, sends, receive_parts(size(), parts.data, bytes(rank())));

  std::byte* const reduced = target + at(rank());
  reduce_parts(call, Device::cpu(), parts.data, size(), mine, reduced, nullptr);

  std::vector<ReceivePart> receives;
  for (int p = 0; p < size(); ++p) receives.push_back({target + at(p), bytes(p)});
  move(call, send_parts(size(), reduced, bytes(rank()), 0), receives);
}

void HostBackend::broadcast(const Call& call, const void* in, void* out, std::int64_t count) {
  agree(call);
  const std::size_t bytes = bytes_of(call, count);
  std::vector<ReceivePart> receives(static_cast<std::size_t>(size()));
  receives[static_cast<std::size_t>(call.root)] = {static_cast<std::byte*>(out), bytes};
  const std::size_t sent = rank() == call.root ? bytes : 0;
  move(call, send_parts(size(), in, sent, 0), receives);
}

void HostBackend::barrier(const Call& call) {
  agree(call);
  const std::byte nothing{};
  std::vector<std::byte> received(static_cast<std::size_t>(size()));
  exchange(call, send_parts(size(), &nothing, 1, 0), receive_parts(size(), received.data(), 1));
}

std::shared_ptr<Backend> HostBackend::split(const Call& call, int color, int key) {
  agree(call);
  struct Choice {
    int color, key;
  };
  const Choice mine{color, key};
  std::vector<Choice> choices(static_cast<std::size_t>(size()));
  move(call, send_parts(size(), &mine, sizeof mine, 0),
       receive_parts(size(), choices.data(), sizeof mine));

  std::vector<int> group;
  for (int r = 0; r < size(); ++r) {
    if (choices[static_cast<std::size_t>(r)].color == color) group.push_back(r);
  }
  std::stable_sort(group.begin(), group.end(), [&](int a, int b) {
    return choices[static_cast<std::size_t>(a)].key < choices[static_cast<std::size_t>(b)].key;
  });
  std::vector<int> world_ranks;
  int new_rank = 0;
  for (const int r : group) {
    if (r == rank()) new_rank = static_cast<int>(world_ranks.size());
    world_ranks.push_back(members()[static_cast<std::size_t>(r)]);
  }
  return make_group(call, color, std::move(world_ranks), new_rank);
}

void HostBackend::enter(const Call& call) {
  agree(call);
  if (!options.check_collectives) return;
  const auto ranks = static_cast<std::size_t>(size());
  exchange(call, std::vector<SendPart>(ranks), std::vector<ReceivePart>(ranks));
}

HostBackend::RollCall HostBackend::roll_call(const Call&, std::chrono::milliseconds) {
  return {};
}

std::string HostBackend::disagreement(std::span<const Call> calls) const {
  for (std::size_t r = 1; r < calls.size(); ++r) {
    if (calls[r] == calls[0]) continue;
    const auto text = [&](const Call& call) {
      if (calls[r].memory == calls[0].memory) return describe(call);
      return describe(call) + (call.memory == Device::Kind::cpu ? " on the CPU" : " on a GPU");
    };
    return str(name(calls[0].collective), ": '", rank_name(static_cast<int>(r)),
               "': expected the call of ", rank_name(0), ", ", text(calls[0]), ", got ",
               text(calls[r]));
  }
  return {};
}

namespace {

class SelfBackend final : public HostBackend {
 public:
  explicit SelfBackend(const CommOptions& options) : HostBackend(0, {0}, options) {}

 protected:
  void exchange(const Call&, std::span<const SendPart> sends,
                std::span<const ReceivePart> receives) override {
    if (receives[0].bytes == 0 || receives[0].data == sends[0].data) return;
    std::memcpy(receives[0].data, sends[0].data, receives[0].bytes);
  }
  void agree(const Call&) override {}
  std::shared_ptr<Backend> make_group(const Call&, int color, std::vector<int>, int) override {
    return color < 0 ? nullptr : make_self_backend(options);
  }
};

}  // namespace

std::shared_ptr<Backend> make_self_backend(const CommOptions& options) {
  return std::make_shared<SelfBackend>(options);
}

}  // namespace crocuta::distributed
