// Copies in which x is contiguous along one dimension and y along another.
#pragma once

#include <optional>

#include "kernels/cuda/toolbox/grid.h"
#include "kernels/cuda/toolbox/strided.h"

namespace crocuta::kernels {

// A tile is a square of kTile by kTile elements, copied by a block of kTile by kTileThreads
// threads.
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
  if (tiles > kMaxGridX) return std::nullopt;
  return Transpose{shape.size[row],         shape.size[column],    shape.stride[0][row],
                   shape.stride[1][column], StridedWalk<2>(batch), tiles,
                   Divider(row_tiles),      Divider(column_tiles)};
}

inline LaunchConfig transpose_grid(const Transpose& transpose) {
  LaunchConfig config = grid_for(transpose.tiles, 1);
  config.block = dim3(kTile, kTileThreads);
  return config;
}

}  // namespace crocuta::kernels
