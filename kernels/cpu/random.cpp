#include "kernels/random.h"

#include "kernels/cpu/parallel.h"
#include "kernels/distributions.h"

namespace crocuta::kernels {
namespace {

template <class T>
T rounded(double value) {
  return T(static_cast<accumulator_t<T>>(value));
}

// Calls f(j, four words) for each group of four numbers j that [0, n) touches.
template <class F>
void for_each_philox(std::int64_t n, std::uint64_t seed, std::uint64_t stream, F&& f) {
  parallel_for((n + 3) / 4, 4096, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t j = begin; j < end; ++j) {
      f(j, philox4x32(seed, static_cast<std::uint64_t>(j), stream));
    }
  });
}
}  // namespace

template <class Device, class T>
void random_uniform(std::int64_t n, std::uint64_t seed, std::uint64_t stream, double low,
                    double high, T* y, Stream) {
  for_each_philox(n, seed, stream, [=](std::int64_t j, const Philox4& bits) {
    for (std::int64_t i = 4 * j; i < std::min(n, 4 * j + 4); ++i) {
      y[i] = rounded<T>(uniform_number(bits.word[i % 4], low, high));
    }
  });
}

template <class Device, class T>
void random_normal(std::int64_t n, std::uint64_t seed, std::uint64_t stream, double mean,
                   double stddev, T* y, Stream) {
  for_each_philox(n, seed, stream, [=](std::int64_t j, const Philox4& bits) {
    for (int pair = 0; pair < 2; ++pair) {
      const std::int64_t i = 4 * j + 2 * pair;
      const NormalPair two =
          normal_numbers(bits.word[2 * pair], bits.word[2 * pair + 1], mean, stddev);
      if (i < n) y[i] = rounded<T>(two.first);
      if (i + 1 < n) y[i + 1] = rounded<T>(two.second);
    }
  });
}

#define CROCUTA_INSTANTIATE(T)                                                                     \
  template void random_uniform<Cpu, T>(std::int64_t, std::uint64_t, std::uint64_t, double, double, \
                                       T*, Stream);                                                \
  template void random_normal<Cpu, T>(std::int64_t, std::uint64_t, std::uint64_t, double, double,  \
                                      T*, Stream);
CROCUTA_INSTANTIATE(float)
CROCUTA_INSTANTIATE(double)
CROCUTA_INSTANTIATE(bfloat16)
CROCUTA_INSTANTIATE(float16)
#undef CROCUTA_INSTANTIATE

}  // namespace crocuta::kernels
