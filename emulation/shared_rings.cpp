#include "emulation/shared_rings.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace crocuta::emulation {
namespace {

[[noreturn]] void fail(const std::string& what) {
  throw std::system_error(errno, std::generic_category(), what);
}

}  // namespace

std::size_t Ring::room() const {
  const std::uint64_t at = written.load(std::memory_order_relaxed);
  const std::uint64_t free = kBytes - (at - read.load(std::memory_order_acquire));
  return std::min(free, kBytes - at % kBytes);
}
std::size_t Ring::filled() const {
  const std::uint64_t at = read.load(std::memory_order_relaxed);
  const std::uint64_t there = written.load(std::memory_order_acquire) - at;
  return std::min(there, kBytes - at % kBytes);
}

SharedRings::SharedRings(const std::string& name, int ranks)
    : name_(name),
      ranks_(ranks),
      bytes_(64 +
             static_cast<std::size_t>(ranks) * static_cast<std::size_t>(ranks) * sizeof(Ring)) {
  const int file = shm_open(name_.c_str(), O_RDWR | O_CREAT, 0600);
  if (file < 0) fail(name_);
  // Fresh memory is zeros, which is how all counters begin; making it the same size again is
  // nothing.
  const bool sized = ftruncate(file, static_cast<off_t>(bytes_)) == 0;
  void* memory =
      sized ? mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0) : MAP_FAILED;
  const int error = errno;
  close(file);
  errno = error;
  if (memory == MAP_FAILED) {
    forget_name();
    errno = error;
    fail(name_);
  }
  head_ = static_cast<Head*>(memory);
  if (head_->joined.fetch_add(1) + 1 == ranks_) forget_name();
}

SharedRings::~SharedRings() {
  if (!complete()) forget_name();
  munmap(head_, bytes_);
}

void SharedRings::forget_name() {
  shm_unlink(name_.c_str());
}

bool SharedRings::complete() const {
  return head_->joined.load() == ranks_;
}

Ring& SharedRings::ring(int from, int to) const {
  auto* rings = reinterpret_cast<Ring*>(reinterpret_cast<char*>(head_) + 64);
  return rings[from * ranks_ + to];
}

}  // namespace crocuta::emulation
