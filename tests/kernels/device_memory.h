// Memory of the device that a kernel is tested on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/types.h"
#if defined(CROCUTA_WITH_CUDA)
#include "tests/kernels/device_vector.h"
#endif

namespace crocuta::test {

// A copy of some values on the device.
template <class Device, class T>
class OnDevice {
 public:
  explicit OnDevice(std::vector<T> values) : values_(std::move(values)) {}

  T* data() { return values_.data(); }
  const T* data() const { return values_.data(); }
  std::vector<T> values() const { return values_; }

 private:
  std::vector<T> values_;
};

// Scratch memory, aligned to 64 bytes and no more; full of NaN, in every type.
template <class Device>
class Workspace {
 public:
  explicit Workspace(std::size_t bytes) : memory_(bytes + 192, std::byte{0xff}) {}

  void* data() {
    const auto address = reinterpret_cast<std::uintptr_t>(memory_.data());
    return reinterpret_cast<void*>((address + 127) / 128 * 128 + 64);
  }

 private:
  std::vector<std::byte> memory_;
};

#if defined(CROCUTA_WITH_CUDA)
inline bool gpu_present() {
  int count = 0;
  return cudaGetDeviceCount(&count) == cudaSuccess && count > 0;
}

template <class T>
class OnDevice<kernels::Cuda, T> {
 public:
  explicit OnDevice(const std::vector<T>& values) : memory_(values) {}

  T* data() const { return memory_.data(); }
  std::vector<T> values() const { return memory_.to_vector(); }

 private:
  DeviceVector<T> memory_;
};

// Ends where its memory does, so that what writes past it is found by the tools that look for that.
template <>
class Workspace<kernels::Cuda> {
 public:
  explicit Workspace(std::size_t bytes)
      : memory_(std::vector<std::byte>(bytes + 64, std::byte{0xff})) {}

  void* data() const { return memory_.data() + 64; }

 private:
  DeviceVector<std::byte> memory_;
};
#endif

}  // namespace crocuta::test
