#include <cstdlib>
#include <string_view>

#include "framework/base/error.h"
#include "framework/device/allocator_cache.h"
#include "framework/device/available_memory.h"
#include "framework/device/device_cuda.h"
#include "kernels/cuda/toolbox/device.h"

namespace crocuta {
namespace {

class CudaAllocator final : public CachingAllocator {
 public:
  explicit CudaAllocator(Device device)
      : CachingAllocator(device, !kAddressSanitizer && !switched_off()) {}

 protected:
  void* take(std::size_t bytes) override {
    cuda::make_current(device());
    void* block = nullptr;
    const cudaError_t status = cudaMalloc(&block, bytes);
    // A driver may call it invalid to ask for more than any GPU has.
    if (status == cudaErrorMemoryAllocation || status == cudaErrorInvalidValue) {
      cudaGetLastError();
      return nullptr;
    }
    kernels::check_cuda(status, "cudaMalloc");
    return block;
  }

  void give_back(void* block, std::size_t) noexcept override {
    // A failure here is one of a kernel before, which is reported where somebody can be told.
    static_cast<void>(cudaFree(block));
    cudaGetLastError();
  }

  std::string free_memory() override {
    cuda::make_current(device());
    std::size_t free = 0, total = 0;
    if (cudaMemGetInfo(&free, &total) != cudaSuccess) {
      cudaGetLastError();
      return "an unknown amount free";
    }
    return memory_text(static_cast<double>(free)) + " free of " +
           memory_text(static_cast<double>(total));
  }

 private:
  static bool switched_off() {
    const char* value = std::getenv("CROCUTA_CUDA_CACHE");
    return value != nullptr && std::string_view(value) == "0";
  }
};

}  // namespace

std::unique_ptr<CachingAllocator> make_cuda_allocator(Device device) {
  return std::make_unique<CudaAllocator>(device);
}

}  // namespace crocuta
