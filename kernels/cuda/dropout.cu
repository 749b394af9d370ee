#include "kernels/dropout.h"

#include "kernels/cuda/toolbox/chunks.h"
#include "kernels/cuda/toolbox/divider.h"
#include "kernels/philox.h"

namespace crocuta::kernels {
namespace {

template <class T>
struct DropoutBody {
  Divider run;   // elements whose numbers follow each other
  Divider runs;  // runs per outer index
  std::int64_t inner, global_rows, first_row;
  const std::int64_t* positions;
  std::uint64_t seed, stream, threshold;
  accumulator_t<T> scale;
  const T* x;
  T* y;

  template <int N>
  __device__ Vector<T, N> load(std::int64_t i) const {
    return load_chunk<N>(x + i);
  }
  template <int N>
  __device__ void store(std::int64_t i, const Vector<T, N>& chunk) const {
    using A = accumulator_t<T>;
    const std::int64_t r = run.divide(i), outer = runs.divide(r);
    const std::int64_t row = positions ? positions[r - outer * runs.divisor()] : first_row;
    const std::int64_t number = (outer * global_rows + row) * inner + (i - r * run.divisor());
    Vector<T, N> result;
    // A chunk of more than one element begins with the first number of a group of four.
    Philox4 bits;
#pragma unroll
    for (int k = 0; k < N; ++k) {
      if (k % 4 == 0) bits = philox4x32(seed, static_cast<std::uint64_t>(number + k) / 4, stream);
      const std::uint32_t drawn = N == 1 ? pick(bits.word, number) : bits.word[k % 4];
      result[k] = drawn >= threshold ? T(static_cast<A>(chunk[k]) * scale) : T(A(0));
    }
    store_chunk<N>(y + i, result);
  }
};

}  // namespace

template <class Device, class T>
void dropout(const DropoutRows& rows, std::uint64_t seed, std::uint64_t stream,
             std::uint64_t threshold, double scale, const T* x, T* y, Stream queue) {
  // Without positions, the rows of one outer index follow each other: one run.
  const bool scattered = rows.positions != nullptr;
  const std::int64_t n = rows.outer * rows.rows * rows.inner;
  if (n == 0) return;
  const std::int64_t run = scattered ? rows.inner : rows.rows * rows.inner;
  constexpr int kWidth = kVector<T> < 4 ? 4 : kVector<T>;
  const bool one_run = run == n && rows.first_row * rows.inner % 4 == 0 && !scattered;
  const bool in_chunks = (one_run || (rows.inner % 4 == 0 && run % kWidth == 0)) &&
                         takes_chunks<kWidth>(x) && takes_chunks<kWidth>(y);
  for_each_chunk<kWidth>(
      "dropout", n, in_chunks,
      DropoutBody<T>{Divider(run), Divider(scattered ? rows.rows : 1), rows.inner, rows.global_rows,
                     rows.first_row, rows.positions, seed, stream, threshold,
                     static_cast<accumulator_t<T>>(scale), x, y},
      queue);
}

#define CROCUTA_INSTANTIATE(T)                                                                    \
  template void dropout<Cuda, T>(const DropoutRows&, std::uint64_t, std::uint64_t, std::uint64_t, \
                                 double, const T*, T*, Stream);
CROCUTA_INSTANTIATE(float)
CROCUTA_INSTANTIATE(double)
CROCUTA_INSTANTIATE(bfloat16)
CROCUTA_INSTANTIATE(float16)
#undef CROCUTA_INSTANTIATE

}  // namespace crocuta::kernels
