#include "kernels/cpu/cache.h"
#include "kernels/cpu/depthwise_conv1d_long.h"
#include "kernels/cpu/depthwise_conv1d_short.h"
#include "kernels/cpu/parallel.h"
#include "kernels/depthwise_conv1d.h"

namespace crocuta::kernels {
namespace {

template <class T>
using RowKernel = void (*)(const Filter<T>&, const T*, std::int64_t, const T*, T*, std::int64_t,
                           std::int64_t, bool);

template <class T>
RowKernel<T> choose_row_kernel(std::int64_t taps) {
  switch (taps) {
    case 1:
      return correlate_short<T, 1>;
    case 2:
      return correlate_short<T, 2>;
    case 3:
      return correlate_short<T, 3>;
    case 4:
      return correlate_short<T, 4>;
    case 5:
      return correlate_short<T, 5>;
    case 6:
      return correlate_short<T, 6>;
    case 7:
      return correlate_short<T, 7>;
    case kShortFilter:
      return correlate_short<T, kShortFilter>;
    default:
      return correlate_long<T>;
  }
}

// out[b,c] = the correlation of in[b,c] with the filter of channel c, read backwards for dx.
template <class T>
void correlate_rows(const DepthwiseConv1dShape& shape, const T* in, const T* weight, const T* bias,
                    T* out, bool backwards) {
  const std::int64_t L = shape.length, K = shape.kernel_size;
  const RowTiles tiles(L);
  const RowKernel<T> kernel = choose_row_kernel<T>(K);
  const std::int64_t rows = shape.batch * shape.channels;
  const bool streaming = exceeds_caches(2 * rows * L * static_cast<std::int64_t>(sizeof(T)));
  const std::int64_t grain = 32768 / (tiles.tile * std::min<std::int64_t>(K, 64) + 1) + 1;
  parallel_for(rows * tiles.count, grain, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t unit = first; unit < last; ++unit) {
      const std::int64_t row = unit / tiles.count, tile = unit % tiles.count;
      const std::int64_t g = shape.group(row % shape.channels);
      const Filter<T> filter{weight + g * K, 1, K, shape.left_padding};
      kernel(backwards ? filter.backwards() : filter, in + row * L, L, bias ? bias + g : nullptr,
             out + row * L, tiles.begin(tile), tiles.end(tile), streaming);
    }
    if (streaming) simd::end_stream();
  });
}

}  // namespace

template <class Device, class T>
void depthwise_conv1d_forward(const DepthwiseConv1dShape& shape, const T* x, const T* weight,
                              const T* bias, T* y, Stream) {
  correlate_rows(shape, x, weight, bias, y, false);
}

// dx alone, as part of depthwise_conv1d_backward.
template <class T>
void depthwise_conv1d_dx(const DepthwiseConv1dShape& shape, const T* dy, const T* weight, T* dx) {
  correlate_rows<T>(shape, dy, weight, nullptr, dx, true);
}

#define CROCUTA_INSTANTIATE(T)                                                                    \
  template void depthwise_conv1d_forward<Cpu, T>(const DepthwiseConv1dShape&, const T*, const T*, \
                                                 const T*, T*, Stream);                           \
  template void depthwise_conv1d_dx<T>(const DepthwiseConv1dShape&, const T*, const T*, T*);
CROCUTA_INSTANTIATE(float)
CROCUTA_INSTANTIATE(double)
CROCUTA_INSTANTIATE(bfloat16)
CROCUTA_INSTANTIATE(float16)
#undef CROCUTA_INSTANTIATE

}  // namespace crocuta::kernels
