#include "kernels/parts.h"

#include <algorithm>

namespace crocuta::kernels {
namespace {

// Blocks keep the partial results of the 16-bit types, which are rounded once at the end, in the
// first-level cache.
template <class T, class Op>
void reduce_parts(int parts, std::int64_t count, const T* x, T* y, Op op) {
  using Accumulator = accumulator_t<T>;
  constexpr std::int64_t kBlock = 1024;
  Accumulator acc[kBlock];
  for (std::int64_t begin = 0; begin < count; begin += kBlock) {
    const std::int64_t n = std::min(kBlock, count - begin);
    for (std::int64_t i = 0; i < n; ++i) acc[i] = static_cast<Accumulator>(x[begin + i]);
    for (int p = 1; p < parts; ++p) {
      const T* part = x + p * count + begin;
      for (std::int64_t i = 0; i < n; ++i) {
        acc[i] = op(acc[i], static_cast<Accumulator>(part[i]));
      }
    }
    for (std::int64_t i = 0; i < n; ++i) y[begin + i] = static_cast<T>(acc[i]);
  }
}

}  // namespace

template <class Device, class T>
void sum_parts(int parts, std::int64_t count, const T* x, T* y, Stream) {
  reduce_parts(parts, count, x, y, SumOfParts{});
}
template <class Device, class T>
void max_parts(int parts, std::int64_t count, const T* x, T* y, Stream) {
  reduce_parts(parts, count, x, y, MaxOfParts{});
}

#define CROCUTA_INSTANTIATE(T)                                              \
  template void sum_parts<Cpu, T>(int, std::int64_t, const T*, T*, Stream); \
  template void max_parts<Cpu, T>(int, std::int64_t, const T*, T*, Stream);
CROCUTA_INSTANTIATE(float)
CROCUTA_INSTANTIATE(double)
CROCUTA_INSTANTIATE(bfloat16)
CROCUTA_INSTANTIATE(float16)
CROCUTA_INSTANTIATE(std::int64_t)
CROCUTA_INSTANTIATE(std::int32_t)
#undef CROCUTA_INSTANTIATE

}  // namespace crocuta::kernels
