#include "kernels/random.h"

#include "kernels/cuda/toolbox/chunks.h"
#include "kernels/distributions.h"

namespace crocuta::kernels {
namespace {

// One call of the generator gives the numbers of four elements.
struct Four {
  double number[4];
};

struct Uniform {
  double low, high;
  __device__ Four operator()(const Philox4& bits) const {
    Four four;
#pragma unroll
    for (int k = 0; k < 4; ++k) four.number[k] = uniform_number(bits.word[k], low, high);
    return four;
  }
};

struct Normal {
  double mean, stddev;
  __device__ Four operator()(const Philox4& bits) const {
    const NormalPair a = normal_numbers(bits.word[0], bits.word[1], mean, stddev);
    const NormalPair b = normal_numbers(bits.word[2], bits.word[3], mean, stddev);
    return {{a.first, a.second, b.first, b.second}};
  }
};

template <class Distribution, class T>
struct RandomBody {
  Distribution distribution;
  std::uint64_t seed, stream;
  T* y;

  template <int N>
  __device__ Four load(std::int64_t i) const {
    return distribution(philox4x32(seed, static_cast<std::uint64_t>(i) / 4, stream));
  }
  template <int N>
  __device__ void store(std::int64_t i, const Four& four) const {
    static_assert(N == 4 || N == 1);
    using A = accumulator_t<T>;
    Vector<T, N> chunk;
#pragma unroll
    for (int k = 0; k < N; ++k) {
      chunk[k] = T(static_cast<A>(N == 4 ? four.number[k] : pick(four.number, i)));
    }
    store_chunk<N>(y + i, chunk);
  }
};

template <class Distribution, class T>
void fill_randomly(const char* name, std::int64_t n, const RandomBody<Distribution, T>& body,
                   Stream queue) {
  for_each_chunk<4>(name, n, takes_chunks<4>(body.y), body, queue);
}

}  // namespace

template <class Device, class T>
void random_uniform(std::int64_t n, std::uint64_t seed, std::uint64_t stream, double low,
                    double high, T* y, Stream queue) {
  fill_randomly("random_uniform", n, RandomBody<Uniform, T>{{low, high}, seed, stream, y}, queue);
}

template <class Device, class T>
void random_normal(std::int64_t n, std::uint64_t seed, std::uint64_t stream, double mean,
                   double stddev, T* y, Stream queue) {
  fill_randomly("random_normal", n, RandomBody<Normal, T>{{mean, stddev}, seed, stream, y}, queue);
}

#define CROCUTA_INSTANTIATE(T)                                                                     \
  template void random_uniform<Cuda, T>(std::int64_t, std::uint64_t, std::uint64_t, double,        \
                                        double, T*, Stream);                                       \
  template void random_normal<Cuda, T>(std::int64_t, std::uint64_t, std::uint64_t, double, double, \
                                       T*, Stream);
CROCUTA_INSTANTIATE(float)
CROCUTA_INSTANTIATE(double)
CROCUTA_INSTANTIATE(bfloat16)
CROCUTA_INSTANTIATE(float16)
#undef CROCUTA_INSTANTIATE

}  // namespace crocuta::kernels
