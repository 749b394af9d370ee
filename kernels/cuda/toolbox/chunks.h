// How element-by-element kernels run: in chunks of neighbouring elements, so that each access to
// memory has 16 bytes where the addresses allow it.
//
// What is done to the elements is told by a body, a struct of pointers and parameters with
//   template <int N> __device__ auto load(std::int64_t i) const;   // what elements i ... i + N - 1
//   template <int N> __device__ void store(std::int64_t i, const L& loaded) const;  // need, give
// A result may overwrite an operand element by element: nobody else reads that element.
#pragma once

#include "kernels/cuda/toolbox/launch.h"
#include "kernels/cuda/toolbox/strided.h"
#include "kernels/cuda/toolbox/vector.h"

namespace crocuta::kernels {

template <int N, class Body>
__global__ void __launch_bounds__(kBlockThreads) chunks_kernel(std::int64_t n, Body body) {
  constexpr std::int64_t kPerBlock = kChunksPerThread * kBlockThreads;
  const std::int64_t chunks = n / N;
  std::int64_t first = blockIdx.x * kPerBlock + threadIdx.x;
  for (; first < chunks; first += gridDim.x * kPerBlock) {
    if (first + (kChunksPerThread - 1) * kBlockThreads < chunks) {
      decltype(body.template load<N>(first)) loaded[kChunksPerThread];
#pragma unroll
      for (int k = 0; k < kChunksPerThread; ++k) {
        loaded[k] = body.template load<N>((first + k * kBlockThreads) * N);
      }
#pragma unroll
      for (int k = 0; k < kChunksPerThread; ++k) {
        body.template store<N>((first + k * kBlockThreads) * N, loaded[k]);
      }
    } else {
#pragma unroll 1
      for (std::int64_t chunk = first; chunk < chunks; chunk += kBlockThreads) {
        body.template store<N>(chunk * N, body.template load<N>(chunk * N));
      }
    }
  }
  if constexpr (N > 1) {
    const std::int64_t i = chunks * N + grid_index();
    if (i < n) body.template store<1>(i, body.template load<1>(i));
  }
}

// Runs body on n elements, N at a time.
template <int N, class Body>
void for_each_chunk(const char* name, std::int64_t n, const Body& body, Stream stream) {
  launch(name, chunks_kernel<N, Body>, chunk_grid(n, N), stream, n, body);
}
// N at a time if `in_chunks`, else one by one.
template <int N, class Body>
void for_each_chunk(const char* name, std::int64_t n, bool in_chunks, const Body& body,
                    Stream stream) {
  if (in_chunks) {
    for_each_chunk<N>(name, n, body, stream);
  } else {
    for_each_chunk<1>(name, n, body, stream);
  }
}

// Whether load_chunk<N> may read at p, and store_chunk<N> write.
template <int N, class T>
bool takes_chunks(const T* p) {
  return is_aligned(p, N < kVector<T> ? N * sizeof(T) : 16);
}

// four[i % 4]. An index that the compiler does not know would put the array into local memory.
template <class T>
__device__ inline T pick(const T (&four)[4], std::int64_t i) {
  const T low = i % 2 == 0 ? four[0] : four[1], high = i % 2 == 0 ? four[2] : four[3];
  return i % 4 < 2 ? low : high;
}

// N elements at p, in accesses of at most 16 bytes.
template <int N, class T>
__device__ inline Vector<T, N> load_chunk(const T* p) {
  if constexpr (N <= kVector<T>) {
    return load_vector<N>(p);
  } else {
    Vector<T, N> chunk;
#pragma unroll
    for (int k = 0; k < N; k += kVector<T>) {
      const Vector<T, kVector<T>> part = load_vector<kVector<T>>(p + k);
#pragma unroll
      for (int j = 0; j < kVector<T>; ++j) chunk[k + j] = part[j];
    }
    return chunk;
  }
}
template <int N, class T>
__device__ inline void store_chunk(T* p, const Vector<T, N>& chunk) {
  if constexpr (N <= kVector<T>) {
    store_vector(p, chunk);
  } else {
#pragma unroll
    for (int k = 0; k < N; k += kVector<T>) {
      Vector<T, kVector<T>> part;
#pragma unroll
      for (int j = 0; j < kVector<T>; ++j) part[j] = chunk[k + j];
      store_vector(p + k, part);
    }
  }
}

// Whether operand k, at p, can be read in chunks of N elements that do not cross from row to row:
// as neighbours, or as one element for all of them.
template <int N, int Operands, class T>
bool walks_in_chunks(const StridedShape<Operands>& shape, int k, const T* p) {
  const int last = shape.dims - 1;
  if (shape.dims > 1 && shape.size[last] % N != 0) return false;
  if (shape.stride[k][last] == 0) return true;
  bool whole = shape.stride[k][last] == 1 && takes_chunks<N>(p);
  for (int d = 0; d < last; ++d) whole = whole && shape.stride[k][d] % N == 0;
  return whole;
}

// N elements at p, or the one there N times. Which of the two is known to the compiler: a choice
// that the kernel makes has to wait for what is loaded, and keeps the next load waiting.
template <int N, bool Stretched, class T>
__device__ inline Vector<T, N> load_walked(const T* p) {
  if constexpr (Stretched) {
    const T value = *p;
    Vector<T, N> chunk;
#pragma unroll
    for (int k = 0; k < N; ++k) chunk[k] = value;
    return chunk;
  } else {
    return load_chunk<N>(p);
  }
}

}  // namespace crocuta::kernels
