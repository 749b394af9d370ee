// The vocabulary shared by all kernels, on every device: device tags, number types, streams.
// Included from .cu files, hence C++17.
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>

#if defined(__CUDACC__)
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#define CROCUTA_HOST_DEVICE __host__ __device__
#else
#define CROCUTA_HOST_DEVICE
#endif
#if defined(__F16C__) && !defined(__CUDACC__)
#include <immintrin.h>
#endif

namespace crocuta {

// bfloat16: the upper half of a float32. Storage only; arithmetic happens in float.
struct bfloat16 {
  std::uint16_t bits = 0;

  bfloat16() = default;
  CROCUTA_HOST_DEVICE explicit bfloat16(float value) {
#if defined(__CUDA_ARCH__)
    bits = __bfloat16_as_ushort(__float2bfloat16_rn(value));
#else
    std::uint32_t u;
    std::memcpy(&u, &value, sizeof u);
    // Round to nearest even; a NaN keeps its sign and stays a (quiet) NaN.
    const std::uint32_t rounded = (u + 0x7fffu + ((u >> 16) & 1u)) >> 16;
    bits =
        static_cast<std::uint16_t>((u & 0x7fffffffu) > 0x7f800000u ? ((u >> 16) | 0x40u) : rounded);
#endif
  }
  CROCUTA_HOST_DEVICE explicit operator float() const {
    const std::uint32_t u = static_cast<std::uint32_t>(bits) << 16;
    float value;
    std::memcpy(&value, &u, sizeof value);
    return value;
  }
};

// float16: IEEE 754 binary16. Storage only; arithmetic happens in float.
struct float16 {
  std::uint16_t bits = 0;

  float16() = default;
  CROCUTA_HOST_DEVICE explicit float16(float value) {
#if defined(__CUDA_ARCH__)
    bits = __half_as_ushort(__float2half_rn(value));
#elif defined(__F16C__) && !defined(__CUDACC__)
    bits = static_cast<std::uint16_t>(_cvtss_sh(value, _MM_FROUND_TO_NEAREST_INT));
#else
    bits = from_float(value);
#endif
  }
  CROCUTA_HOST_DEVICE explicit operator float() const {
#if defined(__CUDA_ARCH__)
    return __half2float(__ushort_as_half(bits));
#elif defined(__F16C__) && !defined(__CUDACC__)
    return _cvtsh_ss(bits);
#else
    return to_float(bits);
#endif
  }

  // The portable conversions, round to nearest even, by bits alone.
  static std::uint16_t from_float(float value) {
    std::uint32_t u;
    std::memcpy(&u, &value, sizeof u);
    const std::uint32_t sign = (u >> 16) & 0x8000u;
    u &= 0x7fffffffu;
    if (u > 0x7f800000u) {  // NaN: keep the upper payload, make it quiet
      return static_cast<std::uint16_t>(sign | 0x7e00u | ((u >> 13) & 0x3ffu));
    }
    if (u >= 0x477ff000u) return static_cast<std::uint16_t>(sign | 0x7c00u);  // overflows to inf
    if (u < 0x38800000u) {  // subnormal or zero: let the float adder round at the right place
      float magnitude;
      std::memcpy(&magnitude, &u, sizeof magnitude);
      magnitude += 0.5f;  // one unit in the last place of 0.5f is 2^-24
      std::memcpy(&u, &magnitude, sizeof u);
      return static_cast<std::uint16_t>(sign | (u - 0x3f000000u));
    }
    return static_cast<std::uint16_t>(sign | ((u - 0x38000000u + 0xfffu + ((u >> 13) & 1u)) >> 13));
  }
  static float to_float(std::uint16_t half) {
    const std::uint32_t sign = static_cast<std::uint32_t>(half & 0x8000u) << 16;
    std::uint32_t u = static_cast<std::uint32_t>(half & 0x7fffu) << 13;
    if (u >= 0x0f800000u) {  // inf, NaN (made quiet)
      u += 0x70000000u;
      if (u > 0x7f800000u) u |= 0x400000u;
    } else if (u >= 0x00800000u) {
      u += 0x38000000u;
    } else {                                                                         // subnormal
      float magnitude = static_cast<float>(half & 0x3ffu) * 5.9604644775390625e-8f;  // 2^-24
      std::memcpy(&u, &magnitude, sizeof u);
    }
    u |= sign;
    float value;
    std::memcpy(&value, &u, sizeof value);
    return value;
  }
};

namespace kernels {

// Device tags: `template <class Device, class T> void op_direction(...)` is declared once in
// `kernels/<family>.h`, defined and instantiated for Cpu in `kernels/cpu/`, for Cuda in
// `kernels/cuda/`.
struct Cpu {};
struct Cuda {};

// An opaque cudaStream_t; nullptr on the CPU, where a kernel has finished when it returns.
using Stream = void*;

// The type that sums of T are taken in: float for the 16-bit types, else T itself.
template <class T>
using accumulator_t =
    std::conditional_t<std::is_same_v<T, bfloat16> || std::is_same_v<T, float16>, float, T>;

// The type in which partial sums of A are added up.
template <class A>
using total_t = std::conditional_t<std::is_floating_point_v<A>, double, A>;

}  // namespace kernels
}  // namespace crocuta
