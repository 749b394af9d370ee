// All collectives of a group whose ranks are on CPUs, built on one primitive: exchange().
#pragma once

#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include "distributed/backends/backend.h"

namespace crocuta::distributed {

// Bytes for, or from, one rank.
struct SendPart {
  const std::byte* data = nullptr;
  std::size_t bytes = 0;
};
struct ReceivePart {
  std::byte* data = nullptr;
  std::size_t bytes = 0;
};

class HostBackend : public Backend {
 public:
  using Backend::Backend;

  Device buffers_for(Device) const final { return Device::cpu(); }
  void all_to_all(const Call& call, const void* in, void* out, std::int64_t count) final;
  void all_gather(const Call& call, const void* in, void* out, std::int64_t count) final;
  void reduce_scatter(const Call& call, const void* in, void* out, std::int64_t count) final;
  void all_reduce(const Call& call, const void* in, void* out, std::int64_t count) final;
  void broadcast(const Call& call, const void* in, void* out, std::int64_t count) final;
  void barrier(const Call& call) final;
  std::shared_ptr<Backend> split(const Call& call, int color, int key) final;

  // For backends that move data by other means and use this one for what lies on the host. First in
  // a collective: throws unless this backend can still be used, and, if that is asked for, unless
  // all ranks make the same call.
  void enter(const Call& call);
  // Where a rank has waited too long in `call`: asks the others for theirs, and waits up to
  // `patience` until they ask, too. The group is of no use afterwards.
  struct RollCall {
    bool complete = false;     // all ranks asked
    std::string disagreement;  // of their calls, then
    std::vector<int> missing;  // ranks that did not ask
  };
  virtual RollCall roll_call(const Call& call, std::chrono::milliseconds patience);

 protected:
  // Moves sends[p] to rank p and fills receives[p] from it, for all p, this rank included. Returns
  // when everything has arrived and the sent buffers may be changed. The parts follow from the
  // call, so equal calls have sizes that fit; unequal ones throw CommError where they are noticed.
  virtual void exchange(const Call& call, std::span<const SendPart> sends,
                        std::span<const ReceivePart> receives) = 0;
  // Called once before a collective. Throws unless this backend can still be used, and compares the
  // calls of all ranks if that is asked for and exchange() does not do it anyway.
  virtual void agree(const Call& call) = 0;
  // The backend of a new group with these ranks of the world, of which this one is number `rank`.
  // Called on all its members, and by those only, in the `call.sequence`-th collective here.
  virtual std::shared_ptr<Backend> make_group(const Call& call, int color, std::vector<int> members,
                                              int rank) = 0;

  // The message of an error that names rank 0 and the first rank whose call differs from its;
  // empty if all calls are equal.
  std::string disagreement(std::span<const Call> calls) const;

 private:
  // exchange(), counted.
  void move(const Call& call, std::span<const SendPart> sends,
            std::span<const ReceivePart> receives);
};

// The group of the calling thread alone.
std::shared_ptr<Backend> make_self_backend(const CommOptions& options);

}  // namespace crocuta::distributed
