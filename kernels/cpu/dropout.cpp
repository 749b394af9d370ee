#include "kernels/dropout.h"

#include <algorithm>

#include "kernels/cpu/parallel.h"
#include "kernels/philox.h"

namespace crocuta::kernels {
namespace {

constexpr std::int64_t kGroups = 256;  // groups of four numbers drawn together

// The elements of a run that share consecutive numbers, `first` being that of x[0].
template <class T>
void drop_run(std::uint64_t seed, std::uint64_t stream, std::uint64_t threshold,
              accumulator_t<T> scale, std::int64_t first, std::int64_t count, const T* x, T* y) {
  using A = accumulator_t<T>;
  std::uint32_t number[4 * kGroups];
  while (count > 0) {
    const std::int64_t group = first / 4, skip = first % 4;
    const std::int64_t length = std::min(count, 4 * kGroups - skip);
    const std::int64_t groups = (skip + length + 3) / 4;
#pragma omp simd
    for (std::int64_t g = 0; g < groups; ++g) {
      const Philox4 four = philox4x32(seed, static_cast<std::uint64_t>(group + g), stream);
      for (int k = 0; k < 4; ++k) number[4 * g + k] = four.word[k];
    }
    for (std::int64_t i = 0; i < length; ++i) {
      y[i] = number[skip + i] >= threshold ? T(static_cast<A>(x[i]) * scale) : T(A(0));
    }
    first += length;
    count -= length;
    x += length;
    y += length;
  }
}

}  // namespace

template <class Device, class T>
void dropout(const DropoutRows& rows, std::uint64_t seed, std::uint64_t stream,
             std::uint64_t threshold, double scale, const T* x, T* y, Stream) {
  // Without positions, the rows of one outer index follow each other: one run.
  const bool scattered = rows.positions != nullptr;
  const std::int64_t length = scattered ? rows.inner : rows.rows * rows.inner;
  const std::int64_t per_outer = scattered ? rows.rows : 1;
  constexpr std::int64_t kPiece = 4096;
  const std::int64_t pieces = (length + kPiece - 1) / kPiece;
  parallel_for(
      rows.outer * per_outer * pieces, 1 + kPiece / (length + 1),
      [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t task = begin; task < end; ++task) {
          const std::int64_t run = task / pieces, from = task % pieces * kPiece;
          const std::int64_t row = scattered ? rows.positions[run % rows.rows] : rows.first_row;
          const std::int64_t first = (run / per_outer * rows.global_rows + row) * rows.inner + from;
          drop_run(seed, stream, threshold, static_cast<accumulator_t<T>>(scale), first,
                   std::min(kPiece, length - from), x + run * length + from,
                   y + run * length + from);
        }
      });
}

#define CROCUTA_INSTANTIATE(T)                                                                   \
  template void dropout<Cpu, T>(const DropoutRows&, std::uint64_t, std::uint64_t, std::uint64_t, \
                                double, const T*, T*, Stream);
CROCUTA_INSTANTIATE(float)
CROCUTA_INSTANTIATE(double)
CROCUTA_INSTANTIATE(bfloat16)
CROCUTA_INSTANTIATE(float16)
#undef CROCUTA_INSTANTIATE

}  // namespace crocuta::kernels
