#include "bench/limits.h"

#include <atomic>

#include "kernels/cpu/parallel.h"
#include "kernels/cpu/simd.h"

namespace crocuta::bench {
namespace {

using kernels::simd::kLanes;
using kernels::simd::load;
using kernels::simd::store;
using Vector = kernels::simd::Vector<float>;

// step(i) for vectors at i, then tail(i) for single elements, in parallel.
template <class Step, class Tail>
void for_vectors(std::size_t n, Step step, Tail tail) {
  constexpr std::int64_t W = kLanes<float>;
  const auto count = static_cast<std::int64_t>(n);
  kernels::parallel_for(count / W, 1024, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) step(i * W);
  });
  for (std::int64_t i = count / W * W; i < count; ++i) tail(i);
}

CROCUTA_INLINE void stream(float* y, Vector v) {
#if defined(__AVX512F__)
  _mm512_stream_ps(y, (__m512)v);
#elif defined(__AVX__)
  _mm256_stream_ps(y, (__m256)v);
#else
  store(y, v);
#endif
}

}  // namespace

void copy(std::size_t n, const float* x, float* y) {
  for_vectors(
      n, [=](std::int64_t i) { store(y + i, load(x + i)); }, [=](std::int64_t i) { y[i] = x[i]; });
}

void stream_copy(std::size_t n, const float* x, float* y) {
  for_vectors(
      n, [=](std::int64_t i) { stream(y + i, load(x + i)); }, [=](std::int64_t i) { y[i] = x[i]; });
}

void add(std::size_t n, const float* a, const float* b, float* y) {
  for_vectors(
      n, [=](std::int64_t i) { store(y + i, load(a + i) + load(b + i)); },
      [=](std::int64_t i) { y[i] = a[i] + b[i]; });
}

double multiply_adds() {
  constexpr int kChains = 12;
  constexpr std::int64_t kSteps = 200000;
  const int threads = kernels::thread_count();
  kernels::parallel_for(threads, 1, [](std::int64_t begin, std::int64_t end) {
    for (std::int64_t t = begin; t < end; ++t) {
      Vector sums[kChains];
      for (int c = 0; c < kChains; ++c) sums[c] = kernels::simd::broadcast(static_cast<float>(c));
      Vector a = kernels::simd::broadcast(0.999f), b = kernels::simd::broadcast(0.001f);
      for (std::int64_t i = 0; i < kSteps; ++i) {
        asm volatile("" : "+x"(a), "+x"(b));  // a and b may have changed: nothing to precompute
        kernels::simd::unroll<kChains>(
            [&](auto c) { sums[c] = kernels::simd::multiply_add(sums[c], a, b); });
      }
      Vector total = sums[0];
      for (int c = 1; c < kChains; ++c) total += sums[c];
      static std::atomic<float> sink;
      sink = total[0];
    }
  });
  return 2.0 * kChains * kSteps * kLanes<float> * threads;
}

}  // namespace crocuta::bench
