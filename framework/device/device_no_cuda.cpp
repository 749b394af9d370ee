// A build without CUDA: framework/device/device_cuda.cpp is its counterpart.
#include <cstring>

#include "framework/device/device_copy.h"
#include "framework/device/device_cuda.h"

namespace crocuta {

bool has_cuda_build() {
  return false;
}
int cuda_device_count() {
  return 0;
}

namespace cuda {

// Nobody gets here with a device that require_available() has not refused.
std::string problem() {
  return "this build has no CUDA";
}
void make_current(Device device) {
  require_available("make_current", device);
}
kernels::Stream default_stream(Device device) {
  require_available("current_stream", device);
  return nullptr;
}
kernels::Stream new_stream(Device device) {
  require_available("SideStream", device);
  return nullptr;
}
void delete_stream(Device, kernels::Stream) noexcept {}
void wait_for(Device device, kernels::Stream, Device, kernels::Stream) {
  require_available("wait_for", device);
}
void synchronize(Device device) {
  require_available("synchronize", device);
}

}  // namespace cuda

struct PinnedBuffer::Block {};
PinnedBuffer::PinnedBuffer(Device device, std::size_t) : block_(nullptr) {
  require_available("PinnedBuffer", device);
}
PinnedBuffer::~PinnedBuffer() = default;
std::byte* PinnedBuffer::data() const {
  return nullptr;
}
void PinnedBuffer::load(const void*, std::size_t) {}
void PinnedBuffer::store(void*, std::size_t) {}
void PinnedBuffer::wait() const {}

void copy_bytes(Device, void* to, Device, const void* from, std::size_t bytes) {
  if (bytes > 0) std::memcpy(to, from, bytes);
}

}  // namespace crocuta
