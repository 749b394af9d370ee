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

// "cpu", "cuda", "cuda:1", or "auto": a GPU if there is one, else the CPU. Throws DeviceError for
// other texts, and for a device that is absent or not built in, saying which; errors begin with
// `where`.
Device parse_device(std::string_view text, std::string_view where = "parse_device");

// The current CUDA device if there is one, else the CPU.
Device default_device();

// Throws DeviceError, naming `where`, unless tensors can be placed on `device`.
void require_available(std::string_view where, Device device);

// True if this build can use GPUs at all.
bool has_cuda_build();
// GPUs that can be used now; 0 without a driver or in a CPU build.
int cuda_device_count();

// The stream on which this thread's kernels for `device` run; nullptr on the CPU.
kernels::Stream current_stream(Device device);

// Waits until all kernels launched on the device have finished.
void synchronize(Device device);

}  // namespace crocuta
