// The forward pass of short filters, which memory bounds: every sample is read once from memory, in
// 16 bytes, its neighbours a second time from the cache; no shared memory, no barrier.
#include "kernels/cuda/depthwise_conv1d/long.h"
#include "kernels/cuda/depthwise_conv1d/row.h"
#include "kernels/cuda/toolbox/divider.h"

namespace crocuta::kernels {
namespace {

template <class T>
struct ForwardShape {
  ForwardShape(const DepthwiseConv1dShape& s, const RowTiling& t)
      : block_rows(static_cast<unsigned>(t.rows)),
        tiles(static_cast<unsigned>(t.tiles)),
        rows(static_cast<unsigned>(s.batch * s.channels)),
        channels(static_cast<unsigned>(s.channels)),
        channel_offset(static_cast<unsigned>(s.channel_offset)),
        length(static_cast<int>(s.length)),
        skewed(s.length % kVector<T> != 0),
        total(s.batch * s.channels * s.length),
        by_tiles(t.tiles),
        by_channels(s.channels),
        by_group_dim(std::min<std::int64_t>(s.group_dim, kLargestNumber)) {}

  unsigned block_rows, tiles, rows, channels, channel_offset;
  int length;
  bool skewed;  // some rows do not begin on a boundary
  std::int64_t total;
  Divider by_tiles, by_channels, by_group_dim;
};

// sums[j] += sum_k taps[k] * samples[j + k], k in ascending order. Checked leaves out the samples
// outside the row; without it they have to be zeros, and everything finite.
template <bool Checked, class A, int V, int K>
__device__ inline void correlate(A (&sums)[V], const A (&taps)[K], const A (&samples)[V + K - 1],
                                 const Stretch& s, int p) {
#pragma unroll
  for (int k = 0; k < K; ++k) {
#pragma unroll
    for (int j = 0; j < V; ++j) {
      if (!Checked || s.holds(p + j + k)) sums[j] = multiply_add(taps[k], samples[j + k], sums[j]);
    }
  }
}

// The filter of one row.
template <class T, int K>
struct Taps {
  using A = accumulator_t<T>;

  __device__ Taps(const ForwardShape<T>& shape, unsigned row, const T* weight, const T* bias)
      : has_offset(bias != nullptr) {
    const unsigned channel = row - shape.by_channels.divide_small(row) * shape.channels;
    const std::int64_t g = shape.by_group_dim.divide_small(shape.channel_offset + channel);
#pragma unroll
    for (int k = 0; k < K; ++k) tap[k] = static_cast<A>(weight[g * K + k]);
    if (has_offset) offset = static_cast<A>(bias[g]);
  }

  A tap[K], offset = 0;
  bool has_offset;
};

// The results of the vector at position p from the samples around it.
template <int Left, class T, int K>
__device__ inline void forward_vector(const ForwardShape<T>& shape, const Stretch& s, int p,
                                      const Window<T, Left, K - 1 - Left>& window,
                                      const Taps<T, K>& taps, T* y, bool aligned) {
  using A = accumulator_t<T>;
  constexpr int V = kVector<T>;
  const int first = p - Left;
  A samples[V + K - 1], sums[V] = {};
#pragma unroll
  for (int i = 0; i < V + K - 1; ++i) samples[i] = window[i];
  const bool at_end = first < s.low || first + V + K - 1 > s.high;
  if (at_end && shape.skewed) clear_outside(samples, s, first);
  if (at_end && finiteness(taps.tap) != A(0)) {
    correlate<true>(sums, taps.tap, samples, s, first);
  } else {
    correlate<false>(sums, taps.tap, samples, s, first);
  }
  if (taps.has_offset) {
#pragma unroll
    for (int j = 0; j < V; ++j) sums[j] += taps.offset;
  }
  store_results<T>(sums, y, s, p, aligned);
}

template <class T, int K, int Left>
__global__ void __launch_bounds__(kConvThreads)
    depthwise_conv1d_forward_kernel(ForwardShape<T> shape, bool aligned, const T* __restrict__ x,
                                    const T* __restrict__ weight, const T* __restrict__ bias,
                                    T* __restrict__ y) {
  constexpr int U = kConvVectors;
  using Samples = Window<T, Left, K - 1 - Left>;
  const unsigned row_block = shape.by_tiles.divide_small(blockIdx.x);
  const unsigned r = row_block * shape.block_rows + threadIdx.y;
  if (r >= shape.rows) return;
  const auto row = static_cast<std::int64_t>(r) * shape.length;
  const int tile = static_cast<int>(blockIdx.x - row_block * shape.tiles);
  const int threads = static_cast<int>(blockDim.x), stride = threads * kVector<T>;
  const int place = short_place<T>(tile, threads, static_cast<int>(threadIdx.x), row_skew<T>(row));
  const Stretch s{row + place, -place, shape.length - place};

  if (aligned && s.at + (U - 1) * stride + Samples::kReach <= shape.total) {
    Samples windows[U];
#pragma unroll
    for (int u = 0; u < U; ++u) windows[u].template load<false>(x, s, u * stride);
    const Taps<T, K> taps(shape, r, weight, bias);
#pragma unroll
    for (int u = 0; u < U; ++u)
      forward_vector<Left>(shape, s, u * stride, windows[u], taps, y, true);
  } else {
    const Taps<T, K> taps(shape, r, weight, bias);
#pragma unroll 1
    for (int u = 0; u < U; ++u) {
      Samples window;
      window.template load<true>(x, s, u * stride);
      forward_vector<Left>(shape, s, u * stride, window, taps, y, aligned);
    }
  }
}

template <class T>
using ForwardKernel = void (*)(ForwardShape<T>, bool, const T*, const T*, const T*, T*);

template <class T>
ForwardKernel<T> choose_forward_kernel(std::int64_t taps, bool causal) {
#define CROCUTA_CHOOSE(K)                                        \
  case K:                                                        \
    return causal ? depthwise_conv1d_forward_kernel<T, K, K - 1> \
                  : depthwise_conv1d_forward_kernel<T, K, (K - 1) / 2>;
  switch (taps) {
    CROCUTA_CHOOSE(1)
    CROCUTA_CHOOSE(2)
    CROCUTA_CHOOSE(3)
    CROCUTA_CHOOSE(4)
    CROCUTA_CHOOSE(5)
    CROCUTA_CHOOSE(6)
    CROCUTA_CHOOSE(7)
    default:
      CROCUTA_CHOOSE(8)
  }
#undef CROCUTA_CHOOSE
}

}  // namespace

template <class Device, class T>
void depthwise_conv1d_forward(const DepthwiseConv1dShape& shape, const T* x, const T* weight,
                              const T* bias, T* y, Stream stream) {
  const std::int64_t rows = shape.batch * shape.channels;
  if (rows == 0 || shape.length == 0) return;
  if (!is_short_filter(shape)) {
    correlate_long(shape, false, x, weight, bias, y, stream);
    return;
  }
  const RowTiling tiling = tile_short_rows<T>(shape.length, rows);
  const bool causal = shape.left_padding == shape.kernel_size - 1;
  launch("depthwise_conv1d_forward", choose_forward_kernel<T>(shape.kernel_size, causal),
         row_launch(tiling, rows), stream, ForwardShape<T>(shape, tiling),
         is_aligned(x, 16) && is_aligned(y, 16), x, weight, bias, y);
}

#define CROCUTA_INSTANTIATE(T)                                                                     \
  template void depthwise_conv1d_forward<Cuda, T>(const DepthwiseConv1dShape&, const T*, const T*, \
                                                  const T*, T*, Stream);
CROCUTA_INSTANTIATE(float)
CROCUTA_INSTANTIATE(double)
CROCUTA_INSTANTIATE(bfloat16)
CROCUTA_INSTANTIATE(float16)
#undef CROCUTA_INSTANTIATE

}  // namespace crocuta::kernels
