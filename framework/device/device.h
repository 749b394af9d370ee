// Where a tensor lives: the CPU, or a CUDA device by number.
#pragma once

#include <compare>
#include <iosfwd>
#include <string>
#include <string_view>

#include "kernels/types.h"

namespace crocuta {

struct Device {
  enum class Kind : unsigned char { cpu, cuda };
  Kind kind = Kind::cpu;
  int index = 0;

  static Device cpu() { return {}; }
  static Device cuda(int index = 0) { return {Kind::cuda, index}; }
  bool is_cpu() const { return kind == Kind::cpu; }
  bool is_cuda() const { return kind == Kind::cuda; }
  auto operator<=>(const Device&) const = default;
};

// "cpu", "cuda:1"
std::string name(Device device);
std::ostream& operator<<(std::ostream& out, Device device);

// "cpu", "cuda:1", "cuda" (this process's GPU, see set_local_rank), or "auto" (default_device()).
// Throws DeviceError for other texts, and for a device that is absent or not built in, saying
// which; errors begin with `where`.
Device parse_device(std::string_view text, std::string_view where = "parse_device");

// Where tensors and layers go that name no device: what set_default_device() chose, else this
// process's GPU if there is one, else the CPU.
Device default_device();
// For all threads. Throws DeviceError for a device that is absent or not built in.
void set_default_device(Device device);

// This process's number among those on the same machine, 0 at first: its GPU is number
// `rank % cuda_device_count()`, unless set_default_device() chose one. distributed::init() sets it.
void set_local_rank(int rank);

// Throws DeviceError, naming `where`, unless tensors can be placed on `device`.
void require_available(std::string_view where, Device device);

// True if this build can use GPUs at all.
bool has_cuda_build();
// GPUs that can be used now; 0 without a driver or in a CPU build.
int cuda_device_count();

// The stream on which this thread's kernels for `device` run, nullptr on the CPU: one that all
// threads share, unless there is a StreamGuard. On this thread, `device` becomes the one that CUDA
// calls refer to.
kernels::Stream current_stream(Device device);

// Waits until everything on all streams of the device has finished. Throws DeviceError, naming the
// kernels launched last, if something failed.
void synchronize(Device device);

// A further stream of a GPU, for work beside the current stream's; nullptr on the CPU. Destroying
// it waits for its work.
class SideStream {
 public:
  explicit SideStream(Device device);
  ~SideStream();
  SideStream(const SideStream&) = delete;
  SideStream& operator=(const SideStream&) = delete;

  Device device() const { return device_; }
  kernels::Stream get() const { return stream_; }

 private:
  const Device device_;
  const kernels::Stream stream_;
};

// While one lives, it is the current stream of this thread and of the stream's device. Memory
// belongs to the stream that was current when it was allocated, and is given to others in that
// stream's order: who uses it on another stream has to make the one wait for the other.
class StreamGuard {
 public:
  explicit StreamGuard(const SideStream& stream);
  ~StreamGuard();
  StreamGuard(const StreamGuard&) = delete;
  StreamGuard& operator=(const StreamGuard&) = delete;

 private:
  friend kernels::Stream current_stream(Device device);
  const Device device_;
  const kernels::Stream stream_;
  const StreamGuard* const outer_;
};

// What is put on `stream` from now on waits for what is on `other` now; the host does not.
void wait_for(Device device, kernels::Stream stream, Device other_device, kernels::Stream other);

// Has check() called after every wait of a thread for a GPU; it may throw. For backends that find
// out only while the GPU works that what it computes is worthless, which nobody must get to read
// then.
void set_device_check(void (*check)());

}  // namespace crocuta
