// Loads and stores of several neighbouring elements as one access of up to 16 bytes.
#pragma once

#include <cstdint>

#include "kernels/cuda/toolbox/runtime.h"
#include "kernels/types.h"

namespace crocuta::kernels {

// As many elements of T as one 16-byte access holds.
template <class T>
inline constexpr int kVector = 16 / static_cast<int>(sizeof(T));

template <class T, int N>
struct alignas(sizeof(T) * N) Vector {
  T element[N];

  __host__ __device__ T& operator[](int i) { return element[i]; }
  __host__ __device__ const T& operator[](int i) const { return element[i]; }
};

// `p` is aligned to N elements: else a fault on a GPU, and in the emulation.
template <int N, class T>
__device__ inline Vector<T, N> load_vector(const T* p) {
#if defined(CROCUTA_CUDA_EMULATED)
  emulation::require_aligned(p, sizeof(T) * N);
#endif
  return *reinterpret_cast<const Vector<T, N>*>(p);
}
template <int N, class T>
__device__ inline void store_vector(T* p, const Vector<T, N>& value) {
#if defined(CROCUTA_CUDA_EMULATED)
  emulation::require_aligned(p, sizeof(T) * N);
#endif
  *reinterpret_cast<Vector<T, N>*>(p) = value;
}

// True if `p` is aligned to `bytes`, a power of two.
inline bool is_aligned(const void* p, std::uintptr_t bytes) {
  return (reinterpret_cast<std::uintptr_t>(p) & (bytes - 1)) == 0;
}

// True if all operands allow 16-byte accesses.
template <class... T>
bool vectors_aligned(const T*... operands) {
  return (is_aligned(operands, 16) && ...);
}

// The same N elements whether `p` is aligned to N elements or not.
template <int N, class T>
__device__ inline Vector<T, N> load_group(const T* p, bool aligned) {
  if constexpr (N > 1) {
    if (!aligned) {
      Vector<T, N> group;
#pragma unroll
      for (int j = 0; j < N; ++j) group[j] = p[j];
      return group;
    }
  }
  return load_vector<N>(p);
}
template <int N, class T>
__device__ inline void store_group(T* p, const Vector<T, N>& group, bool aligned) {
  if constexpr (N > 1) {
    if (!aligned) {
#pragma unroll
      for (int j = 0; j < N; ++j) p[j] = group[j];
      return;
    }
  }
  store_vector(p, group);
}

}  // namespace crocuta::kernels
