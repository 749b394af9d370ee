// What the depthwise convolution's kernels share: how a row's samples get into registers, and how
// results get back.
#pragma once

#include "kernels/cuda/depthwise_conv1d/launch.h"
#include "kernels/cuda/toolbox/launch.h"
#include "kernels/cuda/toolbox/vector.h"

namespace crocuta::kernels {

__device__ inline float multiply_add(float a, float b, float c) {
  return fmaf(a, b, c);
}
__device__ inline double multiply_add(double a, double b, double c) {
  return fma(a, b, c);
}

// One block per row or tile of a row.
inline LaunchConfig row_launch(const RowTiling& tiling, std::int64_t rows) {
  LaunchConfig config;
  config.grid = dim3(static_cast<unsigned>(ceil_div(rows, tiling.rows) * tiling.tiles));
  config.block = dim3(static_cast<unsigned>(tiling.threads), static_cast<unsigned>(tiling.rows));
  return config;
}

// NaN if any value is infinite or NaN, else 0.
template <class A, int N>
__device__ inline A finiteness(const A (&values)[N]) {
  A sum = 0;
#pragma unroll
  for (int i = 0; i < N; ++i) sum = multiply_add(values[i], A(0), sum);
  return sum;
}

// Samples around a place of a row, as one thread sees them: position p is data[at + p]; those in
// [low, high) belong to the row.
struct Stretch {
  __device__ bool holds(int p) const { return p >= low && p < high; }

  std::int64_t at;
  int low, high;
};

// Loads whole registers from an address aligned to all of them if `wanted`, else gives zeros.
// Written out for the GPU so that a load needs no copy afterwards: it would wait for the load to
// arrive, and those behind it would start too late.
template <int Words>
__device__ inline void load_if(bool wanted, const void* p, std::uint32_t (&word)[Words]) {
  static_assert(Words == 1 || Words == 2 || Words == 4);
#if defined(__CUDA_ARCH__)
  const auto flag = static_cast<unsigned>(wanted);
  if constexpr (Words == 4) {
    asm volatile(
        "{ .reg .pred p; setp.ne.u32 p, %5, 0;\n"
        "mov.u32 %0, 0; mov.u32 %1, 0; mov.u32 %2, 0; mov.u32 %3, 0;\n"
        "@p ld.global.nc.v4.u32 {%0, %1, %2, %3}, [%4]; }"
        : "=&r"(word[0]), "=&r"(word[1]), "=&r"(word[2]), "=&r"(word[3])
        : "l"(p), "r"(flag));
  } else if constexpr (Words == 2) {
    asm volatile(
        "{ .reg .pred p; setp.ne.u32 p, %3, 0; mov.u32 %0, 0; mov.u32 %1, 0;\n"
        "@p ld.global.nc.v2.u32 {%0, %1}, [%2]; }"
        : "=&r"(word[0]), "=&r"(word[1])
        : "l"(p), "r"(flag));
  } else {
    asm volatile(
        "{ .reg .pred p; setp.ne.u32 p, %2, 0; mov.u32 %0, 0; @p ld.global.nc.u32 %0, [%1]; }"
        : "=&r"(word[0])
        : "l"(p), "r"(flag));
  }
#else
  Vector<std::uint32_t, Words> words = {};
  if (wanted) words = load_vector<Words>(static_cast<const std::uint32_t*>(p));
  memcpy(word, &words, sizeof word);
#endif
}

// N elements of T as they lie in whole registers. Taken apart before all loads are on their way,
// they would be waited for one by one.
template <class T, int N>
struct Samples {
  static constexpr int kBytes = N * static_cast<int>(sizeof(T));

  __device__ accumulator_t<T> operator[](int i) const {
    T value;
    if constexpr (sizeof(T) == 2) {
      value.bits = static_cast<std::uint16_t>(word[i / 2] >> (i % 2 * 16));
    } else {
      memcpy(&value, &word[i * static_cast<int>(sizeof(T)) / 4], sizeof(T));
    }
    return static_cast<accumulator_t<T>>(value);
  }

  // From position p on, which is aligned to N elements. As a vector: zeros if the row holds none of
  // them, else what lies there, all of which must be in the tensor. One by one (`Each`): zeros for
  // those that the row does not hold.
  template <bool Each>
  __device__ void load(const T* data, const Stretch& s, int p) {
    if constexpr (!Each) {
      load_if(p + N > s.low && p < s.high, data + (s.at + p), word);
    } else {
      T values[N];
#pragma unroll
      for (int i = 0; i < N; ++i) values[i] = s.holds(p + i) ? data[s.at + p + i] : T(0);
      memcpy(word, values, sizeof word);
    }
  }

  std::uint32_t word[kBytes / 4];
};

// A vector of samples with `Left` before and `Right` behind it.
template <class T, int Left, int Right>
class Window {
 public:
  static constexpr int V = kVector<T>;

  // Around position p, as Samples are; nothing from position p + kReach on is read.
  template <bool Each>
  __device__ void load(const T* data, const Stretch& s, int p) {
#pragma unroll
    for (int i = 0; i < kLefts; ++i) {
      left_[i].template load<Each>(data, s, p + (i - kLefts) * kLeft);
    }
    middle_.template load<Each>(data, s, p);
#pragma unroll
    for (int i = 0; i < kRights; ++i) right_[i].template load<Each>(data, s, p + V + i * kRight);
  }

  // Sample i is that at position p - Left + i.
  __device__ accumulator_t<T> operator[](int i) const {
    if (i < Left) {
      const int from = kLefts * kLeft - Left + i;
      return left_[from / kLeft][from % kLeft];
    }
    if (i < Left + V) return middle_[i - Left];
    const int from = i - Left - V;
    return right_[from / kRight][from % kRight];
  }

 private:
  // The neighbours are read in vectors as short as will do, but in whole registers.
  static constexpr int piece(int samples) {
    int n = sizeof(T) == 2 ? 2 : 1;
    while (n < samples && n < V) n *= 2;
    return n;
  }
  static constexpr int kLeft = piece(Left), kLefts = (Left + kLeft - 1) / kLeft;
  static constexpr int kRight = piece(Right), kRights = (Right + kRight - 1) / kRight;

  Samples<T, kLeft> left_[kLefts > 0 ? kLefts : 1];
  Samples<T, V> middle_;
  Samples<T, kRight> right_[kRights > 0 ? kRights : 1];

 public:
  static constexpr int kReach = V + kRights * kRight;
};

// Zeroes the samples, the first of which is at position p, that the row does not hold.
template <class A, int N>
__device__ inline void clear_outside(A (&samples)[N], const Stretch& s, int p) {
#pragma unroll
  for (int i = 0; i < N; ++i) {
    if (!s.holds(p + i)) samples[i] = A(0);
  }
}

// Rounds once to T; two at a time where the GPU has an instruction for that.
template <class T, int N>
__device__ inline void round_to(const accumulator_t<T> (&values)[N], T (&results)[N]) {
#if defined(__CUDA_ARCH__)
  if constexpr (std::is_same_v<T, bfloat16>) {
#pragma unroll
    for (int i = 0; i < N; i += 2) {
      const __nv_bfloat162 pair = __floats2bfloat162_rn(values[i], values[i + 1]);
      memcpy(&results[i], &pair, sizeof pair);
    }
  } else if constexpr (std::is_same_v<T, float16>) {
#pragma unroll
    for (int i = 0; i < N; i += 2) {
      const __half2 pair = __floats2half2_rn(values[i], values[i + 1]);
      memcpy(&results[i], &pair, sizeof pair);
    }
  } else
#endif
  {
#pragma unroll
    for (int i = 0; i < N; ++i) results[i] = static_cast<T>(values[i]);
  }
}

// `p` is aligned to 16 bytes. Written out for the GPU, whose compiler would cut it into four.
__device__ inline void store_16_bytes(void* p, const void* value) {
  std::uint32_t word[4];
  memcpy(word, value, sizeof word);
#if defined(__CUDA_ARCH__)
  asm volatile("st.global.v4.u32 [%0], {%1, %2, %3, %4};" ::"l"(p), "r"(word[0]), "r"(word[1]),
               "r"(word[2]), "r"(word[3])
               : "memory");
#else
  Vector<std::uint32_t, 4> words;
  memcpy(&words, word, sizeof words);
  store_vector(static_cast<std::uint32_t*>(p), words);
#endif
}

// Writes those of a vector of values that the row holds, the first of which is for position p.
template <class T>
__device__ inline void store_results(const accumulator_t<T> (&values)[kVector<T>], T* data,
                                     const Stretch& s, int p, bool aligned) {
  constexpr int V = kVector<T>;
  T results[V];
  round_to(values, results);
  if (aligned && p >= s.low && p + V <= s.high) {
    store_16_bytes(data + (s.at + p), results);
  } else {
#pragma unroll
    for (int i = 0; i < V; ++i) {
      if (s.holds(p + i)) data[s.at + p + i] = results[i];
    }
  }
}

}  // namespace crocuta::kernels
