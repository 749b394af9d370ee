// dweight and dbias for filters of any length: the first of two passes.
#include "kernels/cuda/depthwise_conv1d/long.h"
#include "kernels/cuda/depthwise_conv1d/tile.h"
#include "kernels/cuda/toolbox/divider.h"

namespace crocuta::kernels {
namespace {

struct SumShape {
  DepthwiseConv1dShape conv;
  LongSumsTiling tiling;
  SumUnits units;
  Divider by_tap_chunks, by_parts, by_tiles;
  bool aligned;
};

// dweight[j] += sum_i dy[i] * x[i + j + Shift] for N samples and N taps.
template <int Shift, int N, class A>
__device__ inline void sum_step(A (&dweight)[N], const A* dy, const A* x) {
  constexpr int R = 16 / static_cast<int>(sizeof(A));
  A window[2 * N + R];
  read_values<N>(x, window);
  read_values<N>(x + N + R, window + N);
  if constexpr (Shift > 1) read_values<R>(x + 2 * (N + R), window + 2 * N);
#pragma unroll
  for (int q = 0; q < N; q += R) {
    A gradient[R];
    read_values<R>(dy + q, gradient);
#pragma unroll
    for (int i = 0; i < R; ++i) {
#pragma unroll
      for (int j = 0; j < N; ++j) {
        dweight[j] = multiply_add(gradient[i], window[q + i + j + Shift], dweight[j]);
      }
    }
  }
}
template <int N, class A>
__device__ inline void sum_step(A (&dweight)[N], const A* dy, const A* x, int shift) {
  if constexpr (sizeof(A) == 4) {
    if (shift == 3) return sum_step<3>(dweight, dy, x);
    if (shift == 2) return sum_step<2>(dweight, dy, x);
  }
  if (shift == 1) return sum_step<1>(dweight, dy, x);
  sum_step<0>(dweight, dy, x);
}

// The same where a value is not finite and zeros outside the row would not do: `first` is the place
// in the row of the first of N samples, `ahead` how far that which the first tap meets lies ahead.
template <class T, int N, class A>
__device__ inline void sum_step_checked(A (&dweight)[N], const A* dy, const A* x, int shift,
                                        std::int64_t first, std::int64_t ahead,
                                        std::int64_t length) {
  for (int i = 0; i < N; ++i) {
    if (first + i < 0 || first + i >= length) continue;
#pragma unroll
    for (int j = 0; j < N; ++j) {
      const std::int64_t place = first + i + ahead + j;
      if (place < 0 || place >= length) continue;
      dweight[j] = multiply_add(dy[i], x[padded_place<T>(i + j + shift)], dweight[j]);
    }
  }
}

// A block leaves the sums of some taps of one channel over some rows and tiles. Told of no more
// than five blocks per multiprocessor, the compiler spends registers on loading ahead.
template <class T>
__global__ void __launch_bounds__(kLongThreads, 5)
    depthwise_conv1d_sums_kernel(SumShape shape, const T* __restrict__ x, const T* __restrict__ dy,
                                 double* __restrict__ sums) {
  using A = accumulator_t<T>;
  constexpr int N = kConvSums<T>, P = kPaddedStretch<T>;
  CROCUTA_DYNAMIC_SHARED(A, memory);
  const LongSumsTiling& tiling = shape.tiling;
  const std::int64_t L = shape.conv.length, K = shape.conv.kernel_size, C = shape.conv.channels;
  const std::int64_t total = shape.conv.batch * C * L;
  const std::int64_t block = block_number(), unit = shape.by_tap_chunks.divide(block);
  const std::int64_t channel = shape.by_parts.divide(unit),
                     part = unit - channel * shape.units.parts;
  if (channel >= C) return;
  const int thread = static_cast<int>(threadIdx.x), threads = static_cast<int>(blockDim.x);
  const int segment = thread / tiling.groups, group = thread - segment * tiling.groups;
  const std::int64_t first_tap = (block - unit * tiling.tap_chunks) * tiling.groups * N;
  // Where the first tap's sample lies from the current one, and how many places before it vectors
  // begin.
  const std::int64_t ahead = first_tap - shape.conv.left_padding;
  const int shift = static_cast<int>(ahead & (kConvRead<T> - 1));
  const int dy_stretches = tiling.row_stretches, x_stretches = dy_stretches + tiling.groups + 1;
  A* const x_memory = memory;
  A* const dy_memory = memory + tiling.rows * x_stretches * P;

  A dweight[N] = {}, dbias = 0;
  const std::int64_t last = shape.units.first_item(part + 1);
  for (std::int64_t item = shape.units.first_item(part); item < last; ++item) {
    const std::int64_t row_block = shape.by_tiles.divide(item),
                       tile = item - row_block * tiling.tiles;
    const std::int64_t tile_place = tile * dy_stretches * N;
    __syncthreads();  // nobody still reads the item before
    A unused = 0, check = 0;
    for (int i = 0; i < tiling.rows; ++i) {
      const std::int64_t b = row_block * tiling.rows + i;
      const std::int64_t length = b < shape.conv.batch ? L : 0;
      const std::int64_t row = (b * C + channel) * L, place = tile_place - row_skew<T>(row);
      fill_tile(dy, stretch_at(row, place, length), dy_stretches * N, total, shape.aligned, thread,
                threads, dy_memory + i * dy_stretches * P, dbias, check);
      fill_tile(x, stretch_at(row, place + ahead - shift, length), x_stretches * N, total,
                shape.aligned, thread, threads, x_memory + i * x_stretches * P, unused, check);
    }
    const std::int64_t begin = tile_place - kVector<T> + (ahead < 0 ? ahead - shift : 0);
    const std::int64_t end = tile_place + x_stretches * N + (ahead > 0 ? ahead : 0);
    // Zeros stand for what lies outside the row as long as everything is finite.
    bool infinite = false;
    if (begin < 0 || end > L || tiling.rows > 1) {
      infinite = block_any(check != A(0));
    } else {
      __syncthreads();
    }
    if (segment >= tiling.segments) continue;
    for (int q = segment; q < tiling.rows * dy_stretches; q += tiling.segments) {
      const int i = q / dy_stretches;
      const A* const my_dy = dy_memory + q * P;
      const A* const my_x = x_memory + (q + i * (tiling.groups + 1) + group) * P;
      if (infinite) {
        const std::int64_t b = row_block * tiling.rows + i;
        const std::int64_t row = (b * C + channel) * L;
        const std::int64_t first = tile_place - row_skew<T>(row) + (q - i * dy_stretches) * N;
        sum_step_checked<T>(dweight, my_dy, my_x, shift, first, ahead + group * N,
                            b < shape.conv.batch ? L : 0);
      } else {
        sum_step(dweight, my_dy, my_x, shift);
      }
    }
  }

  // The segments one after the other.
  __syncthreads();
  if (segment < tiling.segments) {
#pragma unroll
    for (int j = 0; j < N; ++j) memory[thread * N + j] = dweight[j];
  }
  __syncthreads();
  double* const out = sums + unit * (K + 1);
  const int taps = tiling.groups * N;
  for (int i = thread; i < taps && first_tap + i < K; i += threads) {
    double sum = 0;
    for (int s = 0; s < tiling.segments; ++s) sum += static_cast<double>(memory[s * taps + i]);
    out[first_tap + i] = sum;
  }
  if (first_tap > 0) return;
  const double sum = block_sum(static_cast<double>(dbias));
  if (thread == 0) out[K] = sum;
}

}  // namespace

template <class T>
void sum_long(const DepthwiseConv1dShape& shape, const LongSumsTiling& tiling,
              const SumUnits& units, const T* x, const T* dy, double* sums, Stream stream) {
  launch("depthwise_conv1d_backward", depthwise_conv1d_sums_kernel<T>,
         block_launch(shape.channels * units.parts * tiling.tap_chunks, tiling.threads, 1,
                      tiling.shared_bytes),
         stream,
         SumShape{shape, tiling, units, Divider(tiling.tap_chunks), Divider(units.parts),
                  Divider(tiling.tiles), is_aligned(x, 16) && is_aligned(dy, 16)},
         x, dy, sums);
}

#define CROCUTA_INSTANTIATE(T)                                                                   \
  template void sum_long<T>(const DepthwiseConv1dShape&, const LongSumsTiling&, const SumUnits&, \
                            const T*, const T*, double*, Stream);
CROCUTA_INSTANTIATE(float)
CROCUTA_INSTANTIATE(double)
CROCUTA_INSTANTIATE(bfloat16)
CROCUTA_INSTANTIATE(float16)
#undef CROCUTA_INSTANTIATE

}  // namespace crocuta::kernels
