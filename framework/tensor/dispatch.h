// From a tensor's run-time device and dtype to a kernel's compile-time ones:
//
//   dispatch(x, [&]<class Device, class T>() {
//     kernels::silu<Device, T>(x.numel(), x.data<T>(), y.data<T>(), current_stream(x.device()));
//   });
#pragma once

#include "framework/tensor/tensor.h"

namespace crocuta {
namespace detail {
[[noreturn]] void no_cuda_build(Device device);
[[noreturn]] void not_floating(const char* op, DType dtype);
[[noreturn]] void no_cuda_kernel(const char* op, Device device);

template <class T, class F>
decltype(auto) dispatch_device(Device device, F&& f) {
  if (device.is_cpu()) return f.template operator()<kernels::Cpu, T>();
#if defined(CROCUTA_WITH_CUDA)
  return f.template operator()<kernels::Cuda, T>();
#else
  no_cuda_build(device);
#endif
}
}  // namespace detail

// Calls f for one of the four floating dtypes; DTypeError, naming `op`, for the integers.
template <class F>
decltype(auto) dispatch(const char* op, Device device, DType dtype, F&& f) {
  switch (dtype) {
    case DType::float32:
      return detail::dispatch_device<float>(device, f);
    case DType::float64:
      return detail::dispatch_device<double>(device, f);
    case DType::bfloat16:
      return detail::dispatch_device<bfloat16>(device, f);
    case DType::float16:
      return detail::dispatch_device<float16>(device, f);
    default:
      detail::not_floating(op, dtype);
  }
}
template <class F>
decltype(auto) dispatch(const char* op, const Tensor& x, F&& f) {
  return dispatch(op, x.device(), x.dtype(), f);
}

// The same for an op that has no CUDA kernel: calls f<T>(). DeviceError, naming `op`, for a tensor that
// is not on the CPU.
template <class F>
decltype(auto) dispatch_cpu(const char* op, const Tensor& x, F&& f) {
  if (!x.device().is_cpu()) detail::no_cuda_kernel(op, x.device());
  return dispatch(op, x, [&]<class Device, class T>() { return f.template operator()<T>(); });
}

// Calls f for any of the six dtypes.
template <class F>
decltype(auto) dispatch_any(Device device, DType dtype, F&& f) {
  switch (dtype) {
    case DType::int64:
      return detail::dispatch_device<std::int64_t>(device, f);
    case DType::int32:
      return detail::dispatch_device<std::int32_t>(device, f);
    default:
      return dispatch("dispatch", device, dtype, f);
  }
}
template <class F>
decltype(auto) dispatch_any(const Tensor& x, F&& f) {
  return dispatch_any(x.device(), x.dtype(), f);
}

}  // namespace crocuta
