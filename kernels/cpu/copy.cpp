#include "kernels/copy.h"

#include "kernels/cpu/strided_loop.h"

namespace crocuta::kernels {
namespace {

constexpr std::int64_t kGrain = 16384;
constexpr std::int64_t kTile = 32;

// A transposing copy reads or writes one element per cache line; by tiles, each line is used up
// while it is in cache. Finds the dimension along which x is contiguous, if it is not the last.
int transposed_dimension(const StridedShape<2>& shape) {
  const int last = shape.dims - 1;
  if (shape.stride[1][last] == 1 || shape.stride[0][last] != 1) return -1;
  for (int d = 0; d < last; ++d) {
    if (shape.stride[1][d] == 1 && shape.size[d] > 1) return d;
  }
  return -1;
}

template <class To, class From>
void copy_by_tiles(const StridedShape<2>& shape, int across, To* y, const From* x) {
  const int last = shape.dims - 1;
  const std::int64_t rows = shape.size[across], columns = shape.size[last];
  const std::int64_t tiles = (rows + kTile - 1) / kTile;
  const std::int64_t y_row = shape.stride[0][across], x_column = shape.stride[1][last];
  std::int64_t outer = 1;
  for (int d = 0; d < last; ++d) outer *= d == across ? 1 : shape.size[d];
  parallel_for(outer * tiles, 1 + kGrain / (kTile * columns + 1),
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t job = begin; job < end; ++job) {
                   const std::int64_t first = job % tiles * kTile;
                   std::int64_t rest = job / tiles, y_offset = first * y_row, x_offset = first;
                   for (int d = last - 1; d >= 0; --d) {
                     if (d == across) continue;
                     y_offset += rest % shape.size[d] * shape.stride[0][d];
                     x_offset += rest % shape.size[d] * shape.stride[1][d];
                     rest /= shape.size[d];
                   }
                   const std::int64_t height = std::min(kTile, rows - first);
                   for (std::int64_t column = 0; column < columns; column += kTile) {
                     const std::int64_t width = std::min(kTile, columns - column);
                     for (std::int64_t i = 0; i < height; ++i) {
                       To* to = y + y_offset + i * y_row + column;
                       const From* from = x + x_offset + i + column * x_column;
                       for (std::int64_t j = 0; j < width; ++j)
                         to[j] = convert<To>(from[j * x_column]);
                     }
                   }
                 }
               });
}
}  // namespace

template <class Device, class T>
void fill(std::int64_t n, T value, T* y, Stream) {
  parallel_for(n, kGrain,
               [=](std::int64_t begin, std::int64_t end) { std::fill(y + begin, y + end, value); });
}

template <class Device, class T>
void iota(std::int64_t n, T first, T* y, Stream) {
  using Number = accumulator_t<T>;
  parallel_for(n, kGrain, [=](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      y[i] = T(static_cast<Number>(first) + static_cast<Number>(i));
    }
  });
}

template <class Device, class To, class From>
void copy(const StridedShape<2>& shape, To* y, const From* x, Stream) {
  if (shape.numel == 0) return;
  if (const int across = transposed_dimension(shape); across >= 0) {
    copy_by_tiles(shape, across, y, x);
    return;
  }
  const std::int64_t y_step = shape.stride[0][shape.dims - 1];
  const std::int64_t x_step = shape.stride[1][shape.dims - 1];
  for_each_run(shape, kGrain, [=](const std::int64_t* offset, std::int64_t count) {
    To* to = y + offset[0];
    const From* from = x + offset[1];
    if (y_step == 1 && x_step == 1) {
      for (std::int64_t i = 0; i < count; ++i) to[i] = convert<To>(from[i]);
    } else {
      for (std::int64_t i = 0; i < count; ++i) to[i * y_step] = convert<To>(from[i * x_step]);
    }
  });
}

#define CROCUTA_INSTANTIATE_COPY(To, From) \
  template void copy<Cpu, To, From>(const StridedShape<2>&, To*, const From*, Stream);
#define CROCUTA_INSTANTIATE(T)                             \
  template void fill<Cpu, T>(std::int64_t, T, T*, Stream); \
  template void iota<Cpu, T>(std::int64_t, T, T*, Stream); \
  CROCUTA_INSTANTIATE_COPY(T, float)                       \
  CROCUTA_INSTANTIATE_COPY(T, double)                      \
  CROCUTA_INSTANTIATE_COPY(T, bfloat16)                    \
  CROCUTA_INSTANTIATE_COPY(T, float16)                     \
  CROCUTA_INSTANTIATE_COPY(T, std::int64_t)                \
  CROCUTA_INSTANTIATE_COPY(T, std::int32_t)
CROCUTA_INSTANTIATE(float)
CROCUTA_INSTANTIATE(double)
CROCUTA_INSTANTIATE(bfloat16)
CROCUTA_INSTANTIATE(float16)
CROCUTA_INSTANTIATE(std::int64_t)
CROCUTA_INSTANTIATE(std::int32_t)
#undef CROCUTA_INSTANTIATE
#undef CROCUTA_INSTANTIATE_COPY

}  // namespace crocuta::kernels
