// The backward pass. For short filters one kernel reads x and dy once and gives dx and, per block,
// the sums of dweight and dbias: a block stays with one channel, so that these sums stay in
// registers.
#include "kernels/cuda/depthwise_conv1d/long.h"
#include "kernels/cuda/depthwise_conv1d/row.h"
#include "kernels/cuda/toolbox/divider.h"
#include "kernels/cuda/toolbox/reduce.h"

namespace crocuta::kernels {
namespace {

template <class T>
struct BackwardShape {
  BackwardShape(const DepthwiseConv1dShape& s, const RowTiling& t, const SumUnits& u)
      : block_rows(static_cast<unsigned>(t.rows)),
        tiles(static_cast<unsigned>(t.tiles)),
        batch(static_cast<unsigned>(s.batch)),
        channels(static_cast<unsigned>(s.channels)),
        channel_offset(static_cast<unsigned>(s.channel_offset)),
        length(static_cast<int>(s.length)),
        skewed(s.length % kVector<T> != 0),
        total(s.batch * s.channels * s.length),
        units(u),
        by_tiles(t.tiles),
        by_parts(u.parts),
        by_group_dim(std::min<std::int64_t>(s.group_dim, kLargestNumber)) {}

  unsigned block_rows, tiles, batch, channels, channel_offset;
  int length;
  bool skewed;  // some rows do not begin on a boundary
  std::int64_t total;
  SumUnits units;
  Divider by_tiles, by_parts, by_group_dim;
};

// Where results go; nullptr for those that are not wanted. The sums of a block are its channel's
// dweight and dbias where nothing else adds to these, else a row of `sums`.
template <class T>
struct Gradients {
  T* dx;
  T* dweight;
  T* dbias;
  double* sums;
};

// dx and the sums from one vector of samples and the gradients around it:
//   dx[j] += sum_i taps[i] * dy[j + i]    dweight[i] += sum_j x[j] * dy[j + i]
// the taps read backwards. Checked leaves out what lies outside the row; without it all that has to
// be zeros, and everything finite.
template <bool Checked, class A, int V, int K>
__device__ inline void backward_products(A (&dx)[V], A (&dweight)[K], const A (&taps)[K],
                                         const A (&x)[V], const A (&dy)[V + K - 1],
                                         const Stretch& s, int p, int first) {
#pragma unroll
  for (int i = 0; i < K; ++i) {
#pragma unroll
    for (int j = 0; j < V; ++j) {
      if (Checked && !s.holds(first + j + i)) continue;
      dx[j] = multiply_add(taps[i], dy[j + i], dx[j]);
      if (Checked && !s.holds(p + j)) continue;
      dweight[i] = multiply_add(x[j], dy[j + i], dweight[i]);
    }
  }
}

template <class T, int K>
struct Sums {
  using A = accumulator_t<T>;
  A dweight[K] = {}, dbias = 0;  // dweight of the taps read backwards
};

template <int Right, class T, int K>
__device__ inline void backward_vector(const BackwardShape<T>& shape, const Stretch& s, int p,
                                       const Samples<T, kVector<T>>& x_vector,
                                       const Window<T, K - 1 - Right, Right>& dy_window,
                                       const accumulator_t<T> (&taps)[K], Sums<T, K>& sums, T* dx,
                                       bool aligned) {
  using A = accumulator_t<T>;
  constexpr int V = kVector<T>, Left = K - 1 - Right;
  const int first = p - Left;
  A x[V], dy[V + K - 1], results[V] = {};
#pragma unroll
  for (int j = 0; j < V; ++j) x[j] = x_vector[j];
#pragma unroll
  for (int i = 0; i < V + K - 1; ++i) dy[i] = dy_window[i];
  const bool at_end = first < s.low || first + V + K - 1 > s.high;
  if (at_end && shape.skewed) {
    clear_outside(x, s, p);
    clear_outside(dy, s, first);
  }
  if (at_end && finiteness(taps) + finiteness(x) + finiteness(dy) != A(0)) {
    backward_products<true>(results, sums.dweight, taps, x, dy, s, p, first);
  } else {
    backward_products<false>(results, sums.dweight, taps, x, dy, s, p, first);
  }
#pragma unroll
  for (int j = 0; j < V; ++j) sums.dbias += dy[Left + j];
  if (dx) store_results<T>(results, dx, s, p, aligned);
}

// Adds up the threads' sums: within a warp as a tree, then warp by warp in double.
template <class T, int K>
__device__ inline void finish_block(const Sums<T, K>& sums, std::int64_t group,
                                    const Gradients<T>& out) {
  using A = accumulator_t<T>;
  CROCUTA_SHARED(A, partial, (kConvThreads / kWarpThreads) * (K + 1));
  const int thread = static_cast<int>(threadIdx.y * blockDim.x + threadIdx.x);
  const int warps = static_cast<int>(blockDim.x * blockDim.y) / kWarpThreads;
  A* const mine = partial + thread / kWarpThreads * (K + 1);
#pragma unroll
  for (int k = 0; k <= K; ++k) {
    const A sum = warp_reduce(k < K ? sums.dweight[K - 1 - (k < K ? k : 0)] : sums.dbias, Plus{});
    if (thread % kWarpThreads == 0) mine[k] = sum;
  }
  __syncthreads();
  if (thread > K) return;
  double total = 0;
  for (int w = 0; w < warps; ++w) total += static_cast<double>(partial[w * (K + 1) + thread]);
  if (out.sums) {
    out.sums[static_cast<std::int64_t>(blockIdx.x) * (K + 1) + thread] = total;
  } else if (thread < K) {
    if (out.dweight) out.dweight[group * K + thread] = static_cast<T>(static_cast<A>(total));
  } else if (out.dbias) {
    out.dbias[group] = static_cast<T>(static_cast<A>(total));
  }
}

// How many blocks are to share a multiprocessor's registers without any being spilled.
template <class T, int K>
inline constexpr int kBackwardBlocks = K <= 4                          ? 3
                                       : sizeof(accumulator_t<T>) == 8 ? 1
                                                                       : 2;

template <class T, int K, int Right>
__global__ void __launch_bounds__(kConvThreads, kBackwardBlocks<T, K>)
    depthwise_conv1d_backward_kernel(BackwardShape<T> shape, bool aligned, const T* __restrict__ x,
                                     const T* __restrict__ weight, const T* __restrict__ dy,
                                     Gradients<T> out) {
  using A = accumulator_t<T>;
  using Vector = Samples<T, kVector<T>>;
  using Neighbours = Window<T, K - 1 - Right, Right>;
  constexpr int U = kConvVectors;
  const unsigned channel = shape.by_parts.divide_small(blockIdx.x);
  const unsigned part = blockIdx.x - channel * static_cast<unsigned>(shape.units.parts);
  const std::int64_t group = shape.by_group_dim.divide_small(shape.channel_offset + channel);
  const int threads = static_cast<int>(blockDim.x), stride = threads * kVector<T>;
  A taps[K];
#pragma unroll
  for (int k = 0; k < K; ++k) taps[k] = static_cast<A>(weight[group * K + K - 1 - k]);

  Sums<T, K> sums;
  const auto last = static_cast<unsigned>(shape.units.first_item(part + 1));
#pragma unroll 1
  for (auto item = static_cast<unsigned>(shape.units.first_item(part)); item < last; ++item) {
    const unsigned batch_block = shape.by_tiles.divide_small(item);
    const unsigned b = batch_block * shape.block_rows + threadIdx.y;
    if (b >= shape.batch) continue;
    const auto row = (static_cast<std::int64_t>(b) * shape.channels + channel) * shape.length;
    const int tile = static_cast<int>(item - batch_block * shape.tiles);
    const int place =
        short_place<T>(tile, threads, static_cast<int>(threadIdx.x), row_skew<T>(row));
    const Stretch s{row + place, -place, shape.length - place};
    if (aligned && s.at + (U - 1) * stride + Neighbours::kReach <= shape.total) {
      Vector vectors[U];
      Neighbours neighbours[U];
#pragma unroll
      for (int u = 0; u < U; ++u) {
        neighbours[u].template load<false>(dy, s, u * stride);
        vectors[u].template load<false>(x, s, u * stride);
      }
#pragma unroll
      for (int u = 0; u < U; ++u) {
        backward_vector<Right>(shape, s, u * stride, vectors[u], neighbours[u], taps, sums, out.dx,
                               true);
      }
    } else {
#pragma unroll 1
      for (int u = 0; u < U; ++u) {
        Vector vector;
        Neighbours around;
        around.template load<true>(dy, s, u * stride);
        vector.template load<true>(x, s, u * stride);
        backward_vector<Right>(shape, s, u * stride, vector, around, taps, sums, out.dx, aligned);
      }
    }
  }
  if (out.sums || out.dweight || out.dbias) finish_block(sums, group, out);
}

template <class T>
using BackwardKernel = void (*)(BackwardShape<T>, bool, const T*, const T*, const T*, Gradients<T>);

template <class T>
BackwardKernel<T> choose_backward_kernel(std::int64_t taps, bool causal) {
#define CROCUTA_CHOOSE(K)                                         \
  case K:                                                         \
    return causal ? depthwise_conv1d_backward_kernel<T, K, K - 1> \
                  : depthwise_conv1d_backward_kernel<T, K, (K - 1) / 2>;
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

// The second pass: adds up the sums [channels, parts, K + 1] of each group's channels. `lanes`
// threads share a result: 1, a warp or a block.
template <class T>
__global__ void __launch_bounds__(kBlockThreads)
    depthwise_conv1d_add_up_kernel(DepthwiseConv1dShape shape, std::int64_t parts, int lanes,
                                   const double* __restrict__ sums, T* __restrict__ dweight,
                                   T* __restrict__ dbias) {
  const std::int64_t columns = shape.kernel_size + 1, results = shape.groups * columns;
  const std::int64_t stride = grid_stride() / lanes;
  const int lane = static_cast<int>(threadIdx.x) % lanes;
  for (std::int64_t i = grid_index() / lanes; i < results; i += stride) {
    const std::int64_t g = i / columns, k = i % columns;
    const std::int64_t from = g * shape.group_dim - shape.channel_offset;
    const std::int64_t to = from + shape.group_dim;
    const std::int64_t first = from < 0 ? 0 : from;
    const std::int64_t last = to < shape.channels ? to : shape.channels;
    double total = 0;
    for (std::int64_t unit = first * parts + lane; unit < last * parts; unit += lanes) {
      total += sums[unit * columns + k];
    }
    if (lanes == kWarpThreads) total = warp_reduce(total, Plus{});
    if (lanes == kBlockThreads) total = block_sum(total);
    if (lane != 0) continue;
    const T value = static_cast<T>(static_cast<accumulator_t<T>>(total));
    if (k < shape.kernel_size) {
      if (dweight) dweight[g * shape.kernel_size + k] = value;
    } else if (dbias) {
      dbias[g] = value;
    }
  }
}

template <class T>
void add_up(const DepthwiseConv1dShape& shape, const SumUnits& units, const double* sums,
            T* dweight, T* dbias, Stream stream) {
  const std::int64_t rows = std::min(shape.group_dim, shape.channels) * units.parts;
  const int lanes = rows <= 16 ? 1 : rows <= 1024 ? kWarpThreads : kBlockThreads;
  launch("depthwise_conv1d_backward", depthwise_conv1d_add_up_kernel<T>,
         grid_for(shape.groups * (shape.kernel_size + 1), kBlockThreads / lanes), stream, shape,
         units.parts, lanes, sums, dweight, dbias);
}

template <class T>
void backward_short(const DepthwiseConv1dShape& shape, const T* x, const T* weight, const T* dy,
                    T* dx, T* dweight, T* dbias, double* sums, Stream stream) {
  const RowTiling tiling = tile_short_rows<T>(shape.length, shape.batch);
  const SumUnits units = cut_short_sums<T>(shape, tiling);
  const bool wants_sums = dweight || dbias;
  // Where every group is one channel, summed by one block, there is nothing to add up.
  const bool direct = units.parts == 1 && shape.group_dim == 1 && shape.groups == shape.channels;
  const bool aligned = is_aligned(x, 16) && is_aligned(dy, 16) && is_aligned(dx, 16);
  const Gradients<T> out{dx, direct ? dweight : nullptr, direct ? dbias : nullptr,
                         wants_sums && !direct ? sums : nullptr};
  LaunchConfig config = row_launch(tiling, 0);
  config.grid = dim3(static_cast<unsigned>(shape.channels * units.parts));
  launch("depthwise_conv1d_backward",
         choose_backward_kernel<T>(shape.kernel_size, shape.left_padding == shape.kernel_size - 1),
         config, stream, BackwardShape<T>(shape, tiling, units), aligned, x, weight, dy, out);
  if (wants_sums && !direct) add_up(shape, units, sums, dweight, dbias, stream);
}

template <class T>
void backward_long(const DepthwiseConv1dShape& shape, const T* x, const T* weight, const T* dy,
                   T* dx, T* dweight, T* dbias, double* sums, Stream stream) {
  if (dx) correlate_long<T>(shape, true, dy, weight, nullptr, dx, stream);
  if (!dweight && !dbias) return;
  const auto tiling = tile_long_sums<T>(shape.batch, shape.length, shape.kernel_size);
  const SumUnits units = cut_long_sums<T>(shape, tiling);
  sum_long(shape, tiling, units, x, dy, sums, stream);
  add_up(shape, units, sums, dweight, dbias, stream);
}

}  // namespace

template <class Device, class T>
std::int64_t depthwise_conv1d_workspace_bytes(const DepthwiseConv1dShape& shape) {
  const SumUnits units =
      is_short_filter(shape)
          ? cut_short_sums<T>(shape, tile_short_rows<T>(shape.length, shape.batch))
          : cut_long_sums<T>(shape,
                             tile_long_sums<T>(shape.batch, shape.length, shape.kernel_size));
  return shape.channels * units.parts * (shape.kernel_size + 1) *
         static_cast<std::int64_t>(sizeof(double));
}

template <class Device, class T>
void depthwise_conv1d_backward(const DepthwiseConv1dShape& shape, const T* x, const T* weight,
                               const T* dy, T* dx, T* dweight, T* dbias, void* workspace,
                               Stream stream) {
  auto* const sums = static_cast<double*>(workspace);
  if (shape.batch * shape.channels * shape.length == 0) {  // sums of nothing
    if (dweight || dbias) add_up(shape, SumUnits{}, sums, dweight, dbias, stream);
  } else if (is_short_filter(shape)) {
    backward_short(shape, x, weight, dy, dx, dweight, dbias, sums, stream);
  } else {
    backward_long(shape, x, weight, dy, dx, dweight, dbias, sums, stream);
  }
}

#define CROCUTA_INSTANTIATE(T)                                                                  \
  template std::int64_t depthwise_conv1d_workspace_bytes<Cuda, T>(const DepthwiseConv1dShape&); \
  template void depthwise_conv1d_backward<Cuda, T>(const DepthwiseConv1dShape&, const T*,       \
                                                   const T*, const T*, T*, T*, T*, void*, Stream);
CROCUTA_INSTANTIATE(float)
CROCUTA_INSTANTIATE(double)
CROCUTA_INSTANTIATE(bfloat16)
CROCUTA_INSTANTIATE(float16)
#undef CROCUTA_INSTANTIATE

}  // namespace crocuta::kernels
