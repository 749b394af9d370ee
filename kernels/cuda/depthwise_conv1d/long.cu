// y and dx for filters of any length.
#include "kernels/cuda/depthwise_conv1d/long.h"

#include "kernels/cuda/depthwise_conv1d/tile.h"
#include "kernels/cuda/toolbox/divider.h"

namespace crocuta::kernels {
namespace {

struct CorrelateShape {
  DepthwiseConv1dShape conv;
  LongTiling tiling;
  Divider by_tiles, by_channels, by_group_dim;
  std::int64_t left;  // samples before the current one that the filter reaches, as it is read
  bool backwards, aligned;
};

// sums[j] += sum_i taps[i] * samples[j + i] over the taps [first, last) of N, in this order.
template <bool All, int N, class A>
__device__ inline void correlate_step(A (&sums)[N], const A* taps, const A* samples, int first,
                                      int last) {
  constexpr int R = 16 / static_cast<int>(sizeof(A));
  A window[2 * N];
  read_values<N>(samples, window);
  read_values<N>(samples + N + R, window + N);
#pragma unroll
  for (int q = 0; q < N; q += R) {
    A tap[R];
    read_values<R>(taps + q, tap);
#pragma unroll
    for (int i = 0; i < R; ++i) {
      if (!All && (q + i < first || q + i >= last)) continue;
#pragma unroll
      for (int j = 0; j < N; ++j) sums[j] = multiply_add(tap[i], window[q + i + j], sums[j]);
    }
  }
}

// Each row of threads takes a row or a tile of one; a thread takes N outputs. The filter passes by
// in chunks, the first of which begins up to 3 places ahead of the first tap, so that samples are
// read in vectors. Told of no more than five blocks per multiprocessor, the compiler spends
// registers on loading ahead.
template <class T>
__global__ void __launch_bounds__(kLongThreads, 5)
    depthwise_conv1d_long_kernel(CorrelateShape shape, const T* __restrict__ in,
                                 const T* __restrict__ weight, const T* __restrict__ bias,
                                 T* __restrict__ out) {
  using A = accumulator_t<T>;
  constexpr int N = kConvSums<T>, V = kVector<T>, P = kPaddedStretch<T>;
  CROCUTA_DYNAMIC_SHARED(A, memory);
  const std::int64_t L = shape.conv.length, K = shape.conv.kernel_size;
  const std::int64_t rows = shape.conv.batch * shape.conv.channels;
  const int threads = static_cast<int>(blockDim.x), thread = static_cast<int>(threadIdx.x);
  const std::int64_t block = block_number(), row_block = shape.by_tiles.divide(block);
  const std::int64_t tile = block - row_block * shape.tiling.rows.tiles;
  std::int64_t r = row_block * shape.tiling.rows.rows + threadIdx.y;
  const bool exists = r < rows;
  if (!exists) r = 0;  // these threads still have to come to the barriers
  const std::int64_t row = r * L, length = exists ? L : 0;
  const std::int64_t channel = r - shape.by_channels.divide(r) * shape.conv.channels;
  const std::int64_t g = shape.by_group_dim.divide(shape.conv.channel_offset + channel);
  const std::int64_t tile_place = tile * threads * N, place = tile_place - row_skew<T>(row);

  const int chunk = static_cast<int>(shape.tiling.chunk);
  const int stretches = static_cast<int>(shape.tiling.row_stretches);
  A* const samples = memory + threadIdx.y * (stretches * P + chunk);
  A* const taps = samples + stretches * P;
  A sums[N] = {};
  for (std::int64_t k = -(-shape.left & (kConvRead<T> - 1)); k < K; k += chunk) {
    // Of all rows of the block, whatever their skew.
    const std::int64_t begin = tile_place + k - shape.left - V;
    const std::int64_t end = begin + V + (threads * N + chunk);
    if (begin >= L || end <= 0) continue;
    __syncthreads();  // nobody still reads the chunk before
    const Stretch s = stretch_at(row, place + k - shape.left, length);
    A unused = 0, check = 0;
    fill_tile(in, s, stretches * N, rows * L, shape.aligned, thread, threads, samples, unused,
              unused);
#pragma unroll 1
    for (int i = thread; i < chunk; i += threads) {
      const std::int64_t tap = shape.backwards ? K - 1 - (k + i) : k + i;
      taps[i] = tap >= 0 && tap < K ? static_cast<A>(weight[g * K + tap]) : A(0);
      check = multiply_add(taps[i], A(0), check);
    }
    // Zeros stand for samples outside the row as long as the filter is finite.
    bool infinite = false;
    if (begin < 0 || end > L) {
      infinite = block_any(check != A(0));
    } else {
      __syncthreads();
    }
    const int first = k < 0 ? static_cast<int>(-k) : 0;
    const int last = K - k < chunk ? static_cast<int>(K - k) : chunk;
    if (infinite) {
#pragma unroll 1
      for (int i = first; i < last; ++i) {
#pragma unroll
        for (int j = 0; j < N; ++j) {
          const int p = thread * N + j + i;
          if (s.holds(p)) sums[j] = multiply_add(taps[i], samples[padded_place<T>(p)], sums[j]);
        }
      }
      continue;
    }
    for (int i = 0; i < last; i += N) {
      const A* const mine = samples + (thread + i / N) * P;
      if (i >= first && i + N <= last) {
        correlate_step<true>(sums, taps + i, mine, 0, N);
      } else {
        correlate_step<false>(sums, taps + i, mine, first - i, last - i);
      }
    }
  }
  if (bias) {
    const auto offset = static_cast<A>(bias[g]);
#pragma unroll
    for (int j = 0; j < N; ++j) sums[j] += offset;
  }
  // Through shared memory, so that neighbouring threads write neighbouring vectors.
  __syncthreads();
#pragma unroll
  for (int j = 0; j < N; ++j) samples[thread * P + j] = sums[j];
  __syncthreads();
  const Stretch s = stretch_at(row, place, length);
#pragma unroll
  for (int i = 0; i < N / V; ++i) {
    const int p = (i * threads + thread) * V;
    A values[V];
    read_values<V>(samples + padded_place<T>(p), values);
    store_results<T>(values, out, s, p, shape.aligned);
  }
}

}  // namespace

template <class T>
void correlate_long(const DepthwiseConv1dShape& shape, bool backwards, const T* in, const T* weight,
                    const T* bias, T* out, Stream stream) {
  const std::int64_t rows = shape.batch * shape.channels;
  const LongTiling tiling = tile_long_rows<T>(shape.length, shape.kernel_size, rows);
  const std::int64_t right = shape.kernel_size - 1 - shape.left_padding;
  const CorrelateShape correlate{shape,
                                 tiling,
                                 Divider(tiling.rows.tiles),
                                 Divider(shape.channels),
                                 Divider(shape.group_dim),
                                 backwards ? right : shape.left_padding,
                                 backwards,
                                 is_aligned(in, 16) && is_aligned(out, 16)};
  launch(backwards ? "depthwise_conv1d_backward" : "depthwise_conv1d_forward",
         depthwise_conv1d_long_kernel<T>,
         block_launch(ceil_div(rows, tiling.rows.rows) * tiling.rows.tiles, tiling.rows.threads,
                      tiling.rows.rows, tiling.shared_bytes),
         stream, correlate, in, weight, bias, out);
}

#define CROCUTA_INSTANTIATE(T)                                                                     \
  template void correlate_long<T>(const DepthwiseConv1dShape&, bool, const T*, const T*, const T*, \
                                  T*, Stream);
CROCUTA_INSTANTIATE(float)
CROCUTA_INSTANTIATE(double)
CROCUTA_INSTANTIATE(bfloat16)
CROCUTA_INSTANTIATE(float16)
#undef CROCUTA_INSTANTIATE

}  // namespace crocuta::kernels
