#include "framework/device/device.h"

#include <algorithm>
#include <atomic>
#include <charconv>
#include <mutex>
#include <ostream>

#include "framework/base/error.h"
#include "framework/device/device_cuda.h"

namespace crocuta {
namespace {

// Devices as numbers: kCpu, or that of a GPU.
constexpr int kCpu = -1, kUnresolved = -2;
std::atomic<int> default_number = kUnresolved;
std::atomic<int> local_rank = 0;
std::mutex choosing;
bool chosen = false;  // by set_default_device()

// This process's GPU.
int local_gpu() {
  return local_rank.load(std::memory_order_relaxed) % std::max(1, cuda_device_count());
}

}  // namespace

std::string name(Device device) {
  return device.is_cpu() ? "cpu" : str("cuda:", device.index);
}

std::ostream& operator<<(std::ostream& out, Device device) {
  return out << name(device);
}

Device parse_device(std::string_view text, std::string_view where) {
  if (text == "auto") return default_device();
  if (text == "cpu") return Device::cpu();
  Device device = Device::cuda();
  bool valid = text == "cuda";
  if (valid) {
    const Device preferred = default_device();
    device = preferred.is_cuda() ? preferred : Device::cuda(local_gpu());
  }
  if (text.starts_with("cuda:")) {
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data() + 5, end, device.index);
    valid = error == std::errc() && stop == end && device.index >= 0;
  }
  if (!valid) {
    fail<DeviceError>(where, "device", "auto, cpu, cuda or cuda:<number>",
                      str('"', printable(text), '"'));
  }
  require_available(where, device);
  return device;
}

Device default_device() {
  int number = default_number.load(std::memory_order_relaxed);
  if (number == kUnresolved) {
    const int found = cuda_device_count() > 0 ? local_gpu() : kCpu;
    // Another thread may just have chosen.
    if (default_number.compare_exchange_strong(number, found)) number = found;
  }
  return number == kCpu ? Device::cpu() : Device::cuda(number);
}

void set_default_device(Device device) {
  require_available("set_default_device", device);
  const std::lock_guard lock(choosing);
  chosen = true;
  default_number = device.is_cpu() ? kCpu : device.index;
}

void set_local_rank(int rank) {
  if (rank < 0) fail<ArgumentError>("set_local_rank", "rank", "at least 0", str(rank));
  const std::lock_guard lock(choosing);
  local_rank = rank;
  if (!chosen) default_number = kUnresolved;
}

void require_available(std::string_view where, Device device) {
  if (device.is_cpu()) return;
  const int count = cuda_device_count();
  if (device.index >= 0 && device.index < count) return;
  if (!has_cuda_build()) {
    fail<DeviceError>(where, "device", "cpu",
                      str(device, " (this build has no CUDA; configure with -DCROCUTA_CUDA=ON)"));
  }
  if (count == 0) {
    fail<DeviceError>(where, "device", "cpu", str(device, " (no GPU: ", cuda::problem(), ")"));
  }
  fail<DeviceError>(
      where, "device",
      count == 1 ? std::string("cpu or cuda:0") : str("cpu or cuda:0 to cuda:", count - 1),
      str(device, " (this machine has ", count, count == 1 ? " GPU)" : " GPUs)"));
}

SideStream::SideStream(Device device)
    : device_(device), stream_(device.is_cpu() ? nullptr : cuda::new_stream(device)) {}
SideStream::~SideStream() {
  if (device_.is_cuda()) cuda::delete_stream(device_, stream_);
}

namespace {
thread_local const StreamGuard* innermost = nullptr;
}

StreamGuard::StreamGuard(const SideStream& stream)
    : device_(stream.device()), stream_(stream.get()), outer_(innermost) {
  innermost = this;
}
StreamGuard::~StreamGuard() {
  innermost = outer_;
}

kernels::Stream current_stream(Device device) {
  if (device.is_cpu()) return nullptr;
  cuda::make_current(device);
  for (const StreamGuard* guard = innermost; guard; guard = guard->outer_) {
    if (guard->device_ == device) return guard->stream_;
  }
  return cuda::default_stream(device);
}

void synchronize(Device device) {
  if (device.is_cpu()) return;
  cuda::synchronize(device);
  cuda::after_wait();
}

namespace {
std::atomic<void (*)()> device_check = nullptr;
}

void set_device_check(void (*check)()) {
  device_check = check;
}
void cuda::after_wait() {
  if (void (*const check)() = device_check) check();
}

void wait_for(Device device, kernels::Stream stream, Device other_device, kernels::Stream other) {
  if (device.is_cuda() && other_device.is_cuda()) {
    cuda::wait_for(device, stream, other_device, other);
  }
}

}  // namespace crocuta
