#include "kernels/copy.h"

#include "kernels/cuda/toolbox/chunks.h"
#include "kernels/cuda/toolbox/transpose.h"

namespace crocuta::kernels {
namespace {

template <class T>
struct FillBody {
  T value;
  T* y;

  struct Nothing {};
  template <int N>
  __device__ Nothing load(std::int64_t) const {
    return {};
  }
  template <int N>
  __device__ void store(std::int64_t i, Nothing) const {
    Vector<T, N> chunk;
#pragma unroll
    for (int k = 0; k < N; ++k) chunk[k] = value;
    store_chunk<N>(y + i, chunk);
  }
};

template <class T>
struct IotaBody {
  T first;
  T* y;

  struct Nothing {};
  template <int N>
  __device__ Nothing load(std::int64_t) const {
    return {};
  }
  template <int N>
  __device__ void store(std::int64_t i, Nothing) const {
    using Number = accumulator_t<T>;
    Vector<T, N> chunk;
#pragma unroll
    for (int k = 0; k < N; ++k) {
      chunk[k] = T(static_cast<Number>(first) + static_cast<Number>(i + k));
    }
    store_chunk<N>(y + i, chunk);
  }
};

// Stretched: all neighbours in a chunk are copies of one element.
template <class To, class From, class Walk, bool Stretched>
struct CopyBody {
  Walk walk;
  To* y;
  const From* x;

  template <int N>
  struct Loaded {
    std::int64_t to;
    Vector<From, N> x;
  };
  template <int N>
  __device__ Loaded<N> load(std::int64_t i) const {
    const auto offsets = walk.at(i);
    return {offsets.operand[0], load_walked<N, Stretched>(x + offsets.operand[1])};
  }
  template <int N>
  __device__ void store(std::int64_t, const Loaded<N>& loaded) const {
    Vector<To, N> chunk;
#pragma unroll
    for (int k = 0; k < N; ++k) chunk[k] = convert<To>(loaded.x[k]);
    store_chunk<N>(y + loaded.to, chunk);
  }
};

template <class To, class From>
__global__ void __launch_bounds__(kTile* kTileThreads)
    transpose_kernel(Transpose transpose, To* y, const From* x) {
  // As raw bits, since shared memory runs no constructors. One more than a row needs, so that the
  // elements of a column lie in different banks.
  using Bits =
      std::conditional_t<sizeof(From) == 2, std::uint16_t,
                         std::conditional_t<sizeof(From) == 4, std::uint32_t, std::uint64_t>>;
  CROCUTA_SHARED(Bits, tile, kTile * (kTile + 1));
  const int lane = static_cast<int>(threadIdx.x), first = static_cast<int>(threadIdx.y);
  const std::int64_t number = blockIdx.x;
  const std::int64_t tile_row = transpose.column_tiles.divide(number);
  const std::int64_t matrix = transpose.row_tiles.divide(tile_row);
  const std::int64_t c0 = (number - tile_row * transpose.column_tiles.divisor()) * kTile;
  const std::int64_t r0 = (tile_row - matrix * transpose.row_tiles.divisor()) * kTile;
  const auto offsets = transpose.batch.at(matrix);
  const From* from = x + offsets.operand[1];
  To* to = y + offsets.operand[0];
#pragma unroll
  for (int k = first; k < kTile; k += kTileThreads) {
    const std::int64_t r = r0 + lane, c = c0 + k;
    if (r < transpose.rows && c < transpose.columns) {
      std::memcpy(&tile[k * (kTile + 1) + lane], from + r + c * transpose.x_column, sizeof(Bits));
    }
  }
  __syncthreads();
#pragma unroll
  for (int k = first; k < kTile; k += kTileThreads) {
    const std::int64_t r = r0 + k, c = c0 + lane;
    if (r < transpose.rows && c < transpose.columns) {
      From value;
      std::memcpy(static_cast<void*>(&value), &tile[lane * (kTile + 1) + k], sizeof(Bits));
      to[r * transpose.y_row + c] = convert<To>(value);
    }
  }
}

// The narrower of the two types fills an access.
template <class To, class From>
inline constexpr int kCopyWidth = kVector<To> > kVector<From> ? kVector<To> : kVector<From>;

}  // namespace

template <class Device, class T>
void fill(std::int64_t n, T value, T* y, Stream stream) {
  constexpr int kWidth = kVector<T>;
  for_each_chunk<kWidth>("fill", n, takes_chunks<kWidth>(y), FillBody<T>{value, y}, stream);
}

template <class Device, class T>
void iota(std::int64_t n, T first, T* y, Stream stream) {
  constexpr int kWidth = kVector<T>;
  for_each_chunk<kWidth>("iota", n, takes_chunks<kWidth>(y), IotaBody<T>{first, y}, stream);
}

template <class Device, class To, class From>
void copy(const StridedShape<2>& shape, To* y, const From* x, Stream stream) {
  if (shape.numel == 0) return;
  if (const std::optional<Transpose> transpose = find_transpose(shape)) {
    launch("copy", transpose_kernel<To, From>, transpose_grid(*transpose), stream, *transpose, y,
           x);
    return;
  }
  constexpr int kWidth = kCopyWidth<To, From>;
  const bool in_chunks = shape.stride[0][shape.dims - 1] == 1 &&
                         walks_in_chunks<kWidth>(shape, 0, y) &&
                         walks_in_chunks<kWidth>(shape, 1, x);
  const auto run = [&](auto width, auto walk, auto stretched) {
    using Body = CopyBody<To, From, decltype(walk), stretched>;
    for_each_chunk<width>("copy", shape.numel, Body{walk, y, x}, stream);
  };
  using Chunk = std::integral_constant<int, kWidth>;
  const StridedWalk<2> walk(shape);
  if (!in_chunks) {
    run(std::integral_constant<int, 1>{}, walk, std::false_type{});
  } else if (is_contiguous(shape)) {
    run(Chunk{}, ContiguousWalk<2>(shape), std::false_type{});
  } else if (shape.stride[1][shape.dims - 1] == 0) {
    run(Chunk{}, walk, std::true_type{});
  } else {
    run(Chunk{}, walk, std::false_type{});
  }
}

#define CROCUTA_INSTANTIATE_COPY(To, From) \
  template void copy<Cuda, To, From>(const StridedShape<2>&, To*, const From*, Stream);
#define CROCUTA_INSTANTIATE(T)                              \
  template void fill<Cuda, T>(std::int64_t, T, T*, Stream); \
  template void iota<Cuda, T>(std::int64_t, T, T*, Stream); \
  CROCUTA_INSTANTIATE_COPY(T, float)                        \
  CROCUTA_INSTANTIATE_COPY(T, double)                       \
  CROCUTA_INSTANTIATE_COPY(T, bfloat16)                     \
  CROCUTA_INSTANTIATE_COPY(T, float16)                      \
  CROCUTA_INSTANTIATE_COPY(T, std::int64_t)                 \
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
