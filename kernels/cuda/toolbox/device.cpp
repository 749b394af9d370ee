#include "kernels/cuda/toolbox/device.h"

#include <array>
#include <atomic>
#include <cstdlib>
#include <string>
#include <string_view>

#include "kernels/error.h"

namespace crocuta::kernels {
namespace {

// A fault shows in whatever call comes next, so the last launches are remembered for the message.
constexpr std::size_t kRemembered = 8;
std::array<std::atomic<const char*>, kRemembered> recent_launches = {};
std::atomic<std::size_t> launches = 0;

void remember_launch(const char* name) {
  recent_launches[launches++ % kRemembered] = name;
}

std::string last_launches() {
  std::string text;
  const std::size_t count = launches;
  for (std::size_t i = 0; i < kRemembered && i < count; ++i) {
    if (i > 0) text += ", ";
    text += recent_launches[(count - 1 - i) % kRemembered].load();
  }
  return text;
}

bool synchronous() {
  static const bool value = [] {
    const char* text = std::getenv("CROCUTA_CUDA_SYNC");
    return text && std::string_view(text) == "1";
  }();
  return value;
}

int attribute(cudaDeviceAttr which) {
  int device = 0, value = 0;
  check_cuda(cudaGetDevice(&device), "cudaGetDevice");
  check_cuda(cudaDeviceGetAttribute(&value, which, device), "cudaDeviceGetAttribute");
  return value;
}

}  // namespace

void check_cuda(cudaError_t status, const char* what) {
  if (status == cudaSuccess) return;
  cudaGetLastError();  // an error that was reported is not to be found again by the next call
  std::string message =
      std::string(what) + ": " + cudaGetErrorString(status) + " (" + cudaGetErrorName(status) + ")";
  if (const std::string last = last_launches(); !last.empty() && !synchronous()) {
    message += "; kernels launched last, newest first: " + last +
               "; run with CROCUTA_CUDA_SYNC=1 to see which one fails";
  }
  throw DeviceError(message);
}

namespace detail {
void finish_launch(const char* name, cudaStream_t stream) {
  remember_launch(name);
  check_cuda(cudaGetLastError(), name);
  if (synchronous()) check_cuda(cudaStreamSynchronize(stream), name);
}
}  // namespace detail

int multiprocessors() {
  return attribute(cudaDevAttrMultiProcessorCount);
}
std::size_t max_shared_bytes() {
  return static_cast<std::size_t>(attribute(cudaDevAttrMaxSharedMemoryPerBlockOptin));
}

}  // namespace crocuta::kernels
