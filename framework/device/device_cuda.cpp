#include "framework/device/device_cuda.h"

#include <atomic>
#include <mutex>
#include <vector>

#include "framework/base/error.h"
#include "kernels/cuda/toolbox/device.h"

namespace crocuta {

using kernels::check_cuda;

namespace {

cudaStream_t make_stream() {
  cudaStream_t stream = nullptr;
  // One that does not wait for the legacy default stream, nor that for it.
  check_cuda(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "cudaStreamCreate");
  return stream;
}

}  // namespace

bool has_cuda_build() {
  return true;
}

int cuda_device_count() {
  static std::atomic<int> known = 0;  // GPUs do not come and go, once there were some
  int count = known.load(std::memory_order_relaxed);
  if (count > 0) return count;
  if (cudaGetDeviceCount(&count) != cudaSuccess) {  // which then has not written the count
    cudaGetLastError();
    return 0;
  }
  known = count;
  return count;
}

namespace cuda {

std::string problem() {
  int count = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  cudaGetLastError();
  return cudaGetErrorString(status == cudaSuccess ? cudaErrorNoDevice : status);
}

void make_current(Device device) {
  int now = -1;
  check_cuda(cudaGetDevice(&now), "cudaGetDevice");
  if (now != device.index) check_cuda(cudaSetDevice(device.index), "cudaSetDevice");
}

kernels::Stream default_stream(Device device) {
  struct Slot {
    std::atomic<cudaStream_t> stream = nullptr;
    std::mutex making;
  };
  // Never destroyed: tensors of static lifetime may need them to the end.
  static auto* const slots = new std::vector<Slot>(static_cast<std::size_t>(cuda_device_count()));
  Slot& slot = slots->at(static_cast<std::size_t>(device.index));
  cudaStream_t stream = slot.stream.load(std::memory_order_acquire);
  if (stream == nullptr) {
    const std::lock_guard lock(slot.making);
    stream = slot.stream.load(std::memory_order_relaxed);
    if (stream == nullptr) {
      make_current(device);
      stream = make_stream();
      slot.stream.store(stream, std::memory_order_release);
    }
  }
  return stream;
}

kernels::Stream new_stream(Device device) {
  require_available("SideStream", device);
  make_current(device);
  return make_stream();
}

void delete_stream(Device device, kernels::Stream stream) noexcept {
  // What fails here has failed, or will fail, where somebody can be told.
  static_cast<void>(cudaSetDevice(device.index));
  static_cast<void>(cudaStreamSynchronize(static_cast<cudaStream_t>(stream)));
  static_cast<void>(cudaStreamDestroy(static_cast<cudaStream_t>(stream)));
  cudaGetLastError();
}

void wait_for(Device device, kernels::Stream stream, Device other_device, kernels::Stream other) {
  if (device == other_device && stream == other) return;
  make_current(other_device);
  cudaEvent_t event = nullptr;
  check_cuda(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), "cudaEventCreate");
  cudaError_t status = cudaEventRecord(event, static_cast<cudaStream_t>(other));
  if (status == cudaSuccess) {
    make_current(device);
    status = cudaStreamWaitEvent(static_cast<cudaStream_t>(stream), event, 0);
  }
  static_cast<void>(cudaEventDestroy(event));  // takes effect when the event has come
  check_cuda(status, "cudaStreamWaitEvent");
}

void synchronize(Device device) {
  require_available("synchronize", device);
  make_current(device);
  check_cuda(cudaDeviceSynchronize(), "synchronize");
}

}  // namespace cuda
}  // namespace crocuta
