// Copies in which x is contiguous along one dimension and y along another.
#pragma once

#include <optional>

#include "kernels/copy.h"
#include "kernels/cuda/strided.h"

namespace crocuta::kernels {

// A tile is a square of kTile by kTile elements, copied by kTile by kTileThreads threads.
inline constexpr int kTile = 32, kTileThreads = 8;

// A batch of matrices: y[r * y_row + c] = x[r + c * x_column] in each of them.
struct Transpose {
  std::int64_t rows, columns;
  std::int64_t y_row, x_column;
  StridedWalk<2> batch;
  std::int64_t tiles;
  Divider row_tiles, column_tiles;  // how many there are in a matrix
};

// What `shape` is as a transpose, if it is one worth going through shared memory.
inline std::optional<Transpose> find_transpose(const StridedShape<2>& shape) {
  constexpr std::int64_t kLeast = 8;  // with fewer rows or columns, most of a tile is empty
  int row = -1, column = -1;
  for (int d = 0; d < shape.dims; ++d) {
    if (shape.stride[0][d] == 1 && shape.stride[1][d] == 1) return std::nullopt;
    if (shape.stride[1][d] == 1 && shape.size[d] >= kLeast) row = d;
    if (shape.stride[0][d] == 1 && shape.size[d] >= kLeast) column = d;
  }
  if (row < 0 || column < 0) return std::nullopt;
  StridedShape<2> batch;
  batch.dims = 0;
  batch.numel = 1;
  for (int d = 0; d < shape.dims; ++d) {
    if (d == row || d == column) continue;
    batch.size[batch.dims] = shape.size[d];
    for (int k = 0; k < 2; ++k) batch.stride[k][batch.dims] = shape.stride[k][d];
    batch.numel *= shape.size[d];
    ++batch.dims;
  }
  if (batch.dims == 0) {
    batch.dims = 1;
    batch.size[0] = 1;
  }
  const std::int64_t row_tiles = ceil_div(shape.size[row], kTile);
  const std::int64_t column_tiles = ceil_div(shape.size[column], kTile);
  const std::int64_t tiles = batch.numel * row_tiles * column_tiles;
  return Transpose{shape.size[row],         shape.size[column],    shape.stride[0][row],
                   shape.stride[1][column], StridedWalk<2>(batch), tiles,
                   Divider(row_tiles),      Divider(column_tiles)};
}

inline LaunchConfig transpose_grid(const Transpose& transpose) {
  LaunchConfig config = grid_for(transpose.tiles, 1);
  config.block = dim3(kTile, kTileThreads);
  return config;
}

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
  for (std::int64_t t = blockIdx.x; t < transpose.tiles; t += gridDim.x) {
    const std::int64_t tile_row = transpose.column_tiles.divide(t);
    const std::int64_t matrix = transpose.row_tiles.divide(tile_row);
    const std::int64_t c0 = (t - tile_row * transpose.column_tiles.divisor()) * kTile;
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
    __syncthreads();  // before the next tile overwrites this one
  }
}

}  // namespace crocuta::kernels
