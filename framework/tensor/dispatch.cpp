#include "framework/tensor/dispatch.h"

namespace crocuta::detail {

void no_cuda_build(Device device) {
  require_available("dispatch", device);
  throw DeviceError(str("dispatch: 'device': expected cpu, got ", device));
}

void not_floating(const char* op, DType dtype) {
  fail<DTypeError>(op, "dtype", "float32, float64, bfloat16 or float16", name(dtype));
}

void no_cuda_kernel(const char* op, Device device) {
  fail<DeviceError>(op, "device", "cpu, for want of a CUDA kernel", name(device));
}

}  // namespace crocuta::detail
