// What the ranks of an emulated communicator share: for each pair a ring of bytes, which one rank
// writes and the other reads, in memory that the operating system maps into all of them.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>

namespace crocuta::emulation {

struct Ring {
  static constexpr std::uint64_t kBytes = 1 << 16;

  // All bytes ever written and read; the difference is in the ring.
  std::atomic<std::uint64_t> written, read;
  char bytes[kBytes];

  // How much can be written, or read, in one piece, and where.
  std::size_t room() const;
  std::size_t filled() const;
  char* write_position() { return bytes + written.load(std::memory_order_relaxed) % kBytes; }
  const char* read_position() const {
    return bytes + read.load(std::memory_order_relaxed) % kBytes;
  }
  void wrote(std::size_t count) { written.fetch_add(count, std::memory_order_release); }
  void took(std::size_t count) { read.fetch_add(count, std::memory_order_release); }
};
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

class SharedRings {
 public:
  // Makes the memory called `name`, or joins the ranks that have; throws std::system_error.
  SharedRings(const std::string& name, int ranks);
  ~SharedRings();
  SharedRings(const SharedRings&) = delete;
  SharedRings& operator=(const SharedRings&) = delete;

  bool complete() const;  // all ranks have joined
  Ring& ring(int from, int to) const;

 private:
  struct Head {
    std::atomic<int> joined;
  };
  // Once all have joined, or one gives up, the name is of no more use.
  void forget_name();

  std::string name_;
  const int ranks_;
  std::size_t bytes_;
  Head* head_ = nullptr;
};

}  // namespace crocuta::emulation
