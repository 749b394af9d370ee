#include "kernels/cpu/depthwise_conv1d_long.h"
#include "kernels/cpu/depthwise_conv1d_short.h"
#include "kernels/cpu/parallel.h"
#include "kernels/depthwise_conv1d.h"

namespace crocuta::kernels {

// In depthwise_conv1d_forward.cpp.
template <class T>
void depthwise_conv1d_dx(const DepthwiseConv1dShape& shape, const T* dy, const T* weight, T* dx);

namespace {

template <class T>
using RowKernel = void (*)(const Filter<T>&, const T*, const T*, std::int64_t, T*, double*,
                           std::int64_t, std::int64_t);

template <class T>
RowKernel<T> choose_row_kernel(std::int64_t taps) {
  switch (taps) {
    case 1:
      return backward_short<T, 1>;
    case 2:
      return backward_short<T, 2>;
    case 3:
      return backward_short<T, 3>;
    case 4:
      return backward_short<T, 4>;
    case 5:
      return backward_short<T, 5>;
    case 6:
      return backward_short<T, 6>;
    case 7:
      return backward_short<T, 7>;
    case kShortFilter:
      return backward_short<T, kShortFilter>;
    default:
      return backward_long<T>;
  }
}

// The first pass: dx, and per tile of a row the sums [K + 1] of dweight and dbias.
template <class T>
void backward_rows(const DepthwiseConv1dShape& shape, const T* x, const T* weight, const T* dy,
                   T* dx, double* sums) {
  const std::int64_t L = shape.length, K = shape.kernel_size;
  const RowTiles tiles(L);
  const RowKernel<T> kernel = choose_row_kernel<T>(K);
  const std::int64_t grain = 16384 / (tiles.tile * std::min<std::int64_t>(K, 64) + 1) + 1;
  parallel_for(shape.batch * shape.channels * tiles.count, grain,
               [&](std::int64_t first, std::int64_t last) {
                 for (std::int64_t unit = first; unit < last; ++unit) {
                   const std::int64_t row = unit / tiles.count, tile = unit % tiles.count;
                   const std::int64_t g = shape.group(row % shape.channels);
                   const Filter<T> filter{weight + g * K, 1, K, shape.left_padding};
                   double* unit_sums = sums + unit * (K + 1);
                   std::fill_n(unit_sums, K + 1, 0.0);
                   kernel(filter, x + row * L, dy + row * L, L, dx ? dx + row * L : nullptr,
                          unit_sums, tiles.begin(tile), tiles.end(tile));
                 }
               });
}

// The second pass: the tiles of all batches are added per channel, channels per group.
template <class T>
void add_up(const DepthwiseConv1dShape& shape, const double* sums, T* dweight, T* dbias) {
  constexpr std::int64_t kChunk = 32;  // taps at a time
  const std::int64_t K = shape.kernel_size, tiles = RowTiles(shape.length).count;
  const std::int64_t chunks = K / kChunk + 1;  // of K taps and the bias
  const std::int64_t work = shape.batch * tiles * std::min(kChunk, K + 1);
  parallel_for(shape.groups * chunks, 16384 / (work + 1) + 1,
               [&](std::int64_t first, std::int64_t last) {
                 for (std::int64_t i = first; i < last; ++i) {
                   const std::int64_t g = i / chunks, k0 = i % chunks * kChunk;
                   const std::int64_t count = std::min(kChunk, K + 1 - k0);
                   const std::int64_t begin = g * shape.group_dim - shape.channel_offset;
                   const std::int64_t end = std::min(begin + shape.group_dim, shape.channels);
                   double total[kChunk] = {};
                   for (std::int64_t c = std::max<std::int64_t>(begin, 0); c < end; ++c) {
                     double channel[kChunk] = {};
                     for (std::int64_t b = 0; b < shape.batch; ++b) {
                       for (std::int64_t tile = 0; tile < tiles; ++tile) {
                         const std::int64_t unit = (b * shape.channels + c) * tiles + tile;
                         const double* part = sums + unit * (K + 1) + k0;
                         for (std::int64_t k = 0; k < count; ++k) channel[k] += part[k];
                       }
                     }
                     for (std::int64_t k = 0; k < count; ++k) total[k] += channel[k];
                   }
                   for (std::int64_t k = 0; k < count; ++k) {
                     const T value = static_cast<T>(static_cast<accumulator_t<T>>(total[k]));
                     if (k0 + k < K) {
                       if (dweight) dweight[g * K + k0 + k] = value;
                     } else if (dbias) {
                       dbias[g] = value;
                     }
                   }
                 }
               });
}

}  // namespace

template <class Device, class T>
std::int64_t depthwise_conv1d_workspace_bytes(const DepthwiseConv1dShape& shape) {
  const std::int64_t units = shape.batch * shape.channels * RowTiles(shape.length).count;
  return units * (shape.kernel_size + 1) * static_cast<std::int64_t>(sizeof(double));
}

template <class Device, class T>
void depthwise_conv1d_backward(const DepthwiseConv1dShape& shape, const T* x, const T* weight,
                               const T* dy, T* dx, T* dweight, T* dbias, void* workspace, Stream) {
  if (!dweight && !dbias) {
    if (dx) depthwise_conv1d_dx(shape, dy, weight, dx);
    return;
  }
  auto* sums = static_cast<double*>(workspace);
  backward_rows(shape, x, weight, dy, dx, sums);
  add_up(shape, sums, dweight, dbias);
}

#define CROCUTA_INSTANTIATE(T)                                                                     \
  template std::int64_t depthwise_conv1d_workspace_bytes<Cpu, T>(const DepthwiseConv1dShape&);     \
  template void depthwise_conv1d_backward<Cpu, T>(const DepthwiseConv1dShape&, const T*, const T*, \
                                                  const T*, T*, T*, T*, void*, Stream);
CROCUTA_INSTANTIATE(float)
CROCUTA_INSTANTIATE(double)
CROCUTA_INSTANTIATE(bfloat16)
CROCUTA_INSTANTIATE(float16)
#undef CROCUTA_INSTANTIATE

}  // namespace crocuta::kernels
