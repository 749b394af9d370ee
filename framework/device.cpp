#include "framework/device.h"

#include <charconv>
#include <ostream>

#include "framework/error.h"

namespace crocuta {

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
  return cuda_device_count() > 0 ? Device::cuda() : Device::cpu();
}

void require_available(std::string_view where, Device device) {
  if (device.is_cpu()) return;
  fail<DeviceError>(
      where, "device", "cpu",
      str(name(device), " (this build has no CUDA; configure with -DCROCUTA_CUDA=ON)"));
}

bool has_cuda_build() {
  return false;
}
int cuda_device_count() {
  return 0;
}
kernels::Stream current_stream(Device) {
  return nullptr;
}
void synchronize(Device) {}

}  // namespace crocuta
