// How the depthwise convolution's rows are laid over blocks and threads: plain functions of the
// sizes, so that they can be tested without a GPU, and so that the order of summation depends on
// nothing else.
//
// Rows follow one another in memory, so that row r begins r * length % V elements past a boundary
// of 16 bytes, V elements being 16 bytes. Threads own whole aligned vectors: a row's places count
// from the boundary at or before its start, its `skew`, and may hang over either end.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/depthwise_conv1d.h"

namespace crocuta::kernels {

// Filters of at most this many taps have kernels of their own, for causal and "same" padding.
inline constexpr int kShortTaps = 8;
// The most threads a block has: one warp above 256, so that rows of a few samples more than a power
// of two, or of one less that begin past a boundary, need not be cut.
inline constexpr int kConvThreads = 288;
// Vectors of 16 bytes that a thread of the kernels for short filters takes at a time.
inline constexpr int kConvVectors = 2;
// Bytes of sums that a thread of the kernels for long filters keeps in registers.
inline constexpr int kConvSumBytes = 64;
// Shared memory that a block may use: what every GPU has without asking.
inline constexpr std::int64_t kConvSharedBytes = 40 * 1024;
// The most products that one thread adds up in accumulator_t<T>; all else is added in double.
inline constexpr std::int64_t kShortTerms = 512, kLongTerms = 1024;

constexpr std::int64_t conv_ceil_div(std::int64_t n, std::int64_t d) {
  return n / d + (n % d != 0);
}
constexpr std::int64_t conv_round_up(std::int64_t n, std::int64_t multiple) {
  return conv_ceil_div(n, multiple) * multiple;
}

// Elements of T in 16 bytes, and in the registers of one thread of a kernel for long filters.
template <class T>
inline constexpr int kConvVector = 16 / static_cast<int>(sizeof(T));
template <class T>
inline constexpr int kConvSums = kConvSumBytes / static_cast<int>(sizeof(accumulator_t<T>));

// How many places, of `width` elements each, cover any row from the boundary before it on.
template <class T>
std::int64_t conv_places(std::int64_t length, std::int64_t width) {
  const std::int64_t most_skew = length % kConvVector<T> == 0 ? 0 : kConvVector<T> - 1;
  return length == 0 ? 0 : conv_ceil_div(length + most_skew, width);
}

// Blocks of `threads` x `rows` threads, a multiple of 32: each row of threads takes one row, or one
// of its `tiles` parts of `threads` places each. Rows share a block only if they are whole.
struct RowTiling {
  int threads = 32, rows = 1;
  std::int64_t tiles = 0;
};
inline RowTiling tile_rows(std::int64_t places, std::int64_t most_rows,
                           int most_threads = kConvThreads) {
  RowTiling best;
  if (places == 0) return best;
  if (places > most_threads) {
    // The number of threads that leaves fewest idle in a row's last tile.
    std::int64_t fewest = INT64_MAX;
    for (int threads = most_threads / 32 * 32; threads >= std::min(most_threads, 128);
         threads -= 32) {
      const std::int64_t tiles = conv_ceil_div(places, threads);
      if (tiles * threads >= fewest) continue;
      fewest = tiles * threads;
      best = {threads, 1, tiles};
    }
    return best;
  }
  for (int rows = 1; rows <= 32; rows *= 2) {
    const auto threads = static_cast<int>(conv_round_up(places, 32 / rows));
    if (rows > 1 && (threads * rows > most_threads || rows >= 2 * most_rows)) break;
    best = {threads, rows, 1};
  }
  return best;
}

// Of the kernels for short filters.
template <class T>
RowTiling tile_short_rows(std::int64_t length, std::int64_t most_rows) {
  return tile_rows(conv_places<T>(length, kConvVector<T> * kConvVectors), most_rows);
}
// How far past a boundary the row that begins at element `row` of its tensor does.
template <class T>
CROCUTA_HOST_DEVICE int row_skew(std::int64_t row) {
  return static_cast<int>(row & (kConvVector<T> - 1));
}
// The sample, less than 0 for some at a row's start, with which a thread's first vector begins; the
// next one is kConvVector * threads behind it.
template <class T>
CROCUTA_HOST_DEVICE int short_place(int tile, int threads, int thread, int skew) {
  return (tile * (kConvVectors * threads) + thread) * kConvVector<T> - skew;
}

// Of y and dx for long filters: the filter passes by in chunks, beside which a block holds its
// rows' samples in shared memory, kConvSums at a time with 16 bytes between them.
struct LongTiling {
  RowTiling rows;
  std::int64_t chunk = 0;          // taps, a multiple of kConvSums
  std::int64_t row_stretches = 0;  // of kConvSums samples
  std::int64_t shared_bytes = 0;
};
inline constexpr int kPaddedBytes = kConvSumBytes + 16;
inline constexpr std::int64_t kMostChunk = 256;
inline constexpr int kLongThreads = 128;

template <class T>
LongTiling tile_long_rows(std::int64_t length, std::int64_t taps, std::int64_t most_rows) {
  constexpr std::int64_t N = kConvSums<T>;
  LongTiling tiling;
  // A few places before the first tap, since samples are read in aligned vectors.
  tiling.chunk = std::min(conv_round_up(std::min(taps, kMostChunk) + N / 4 - 1, N), kMostChunk);
  const auto bytes = [&](const RowTiling& rows) {
    tiling.row_stretches = rows.threads + tiling.chunk / N;
    return rows.rows * (tiling.row_stretches * kPaddedBytes +
                        tiling.chunk * static_cast<std::int64_t>(sizeof(accumulator_t<T>)));
  };
  for (;; most_rows = tiling.rows.rows / 2) {
    tiling.rows = tile_rows(conv_places<T>(length, N), most_rows, kLongThreads);
    tiling.shared_bytes = bytes(tiling.rows);
    if (tiling.shared_bytes <= kConvSharedBytes || tiling.rows.rows == 1) return tiling;
  }
}

// Of dweight for long filters: a block takes `groups` x kConvSums taps of one channel. A thread
// keeps the sums of kConvSums taps over every `segments`-th stretch of kConvSums samples; a tile
// has `rows` rows of `row_stretches` stretches.
struct LongSumsTiling {
  int threads = 32, groups = 1, segments = 1;
  int rows = 1, row_stretches = 1;
  std::int64_t tiles = 0;       // per row
  std::int64_t tap_chunks = 1;  // blocks that share a channel's taps
  std::int64_t shared_bytes = 0;
  int stretches_per_thread() const {
    return static_cast<int>(conv_ceil_div(rows * row_stretches, segments));
  }
};
template <class T>
LongSumsTiling tile_long_sums(std::int64_t batch, std::int64_t length, std::int64_t taps) {
  constexpr std::int64_t N = kConvSums<T>, kThreads = 128, kStretches = 128;
  LongSumsTiling tiling;
  const std::int64_t all_groups = conv_ceil_div(taps, N);
  tiling.tap_chunks = conv_ceil_div(all_groups, 128 / N);
  tiling.groups = static_cast<int>(conv_ceil_div(all_groups, tiling.tap_chunks));
  tiling.segments = static_cast<int>(kThreads / tiling.groups);
  tiling.threads = static_cast<int>(conv_round_up(tiling.groups * tiling.segments, 32));
  const std::int64_t needed = conv_places<T>(length, N);
  const std::int64_t room =
      std::max<std::int64_t>(kStretches / tiling.segments, 1) * tiling.segments;
  tiling.tiles = conv_ceil_div(needed, room);
  // Samples, and one stretch more than the taps for the vectors they are read in.
  const auto bytes = [&] {
    return tiling.rows * (2 * tiling.row_stretches + tiling.groups + 1) * kPaddedBytes;
  };
  if (tiling.tiles > 1) {
    tiling.row_stretches =
        static_cast<int>(conv_round_up(conv_ceil_div(needed, tiling.tiles), tiling.segments));
    tiling.tiles = conv_ceil_div(needed, tiling.row_stretches);
  } else {
    tiling.row_stretches = static_cast<int>(std::max<std::int64_t>(needed, 1));
    tiling.rows = static_cast<int>(
        std::clamp<std::int64_t>(room / tiling.row_stretches, 1, std::max<std::int64_t>(batch, 1)));
    while (tiling.rows > 1 && bytes() > kConvSharedBytes) --tiling.rows;
  }
  // Afterwards the same memory holds every thread's sums.
  tiling.shared_bytes = std::max<std::int64_t>(bytes(), kThreads * kConvSumBytes);
  return tiling;
}

// How the sums of dweight and dbias over batches and samples are cut: a channel's `items` (batch
// rows x tiles) fall to `parts` blocks, each of which leaves K + 1 sums. A second pass adds these.
struct SumUnits {
  SumUnits() = default;
  SumUnits(std::int64_t all_items, std::int64_t all_parts)
      : items(all_items), parts(all_parts), each(items / parts), rest(items % parts) {}

  // The first item of part p; the first `rest` parts have one more than the others.
  CROCUTA_HOST_DEVICE std::int64_t first_item(std::int64_t p) const {
    return each * p + (p < rest ? p : rest);
  }

  std::int64_t items = 0, parts = 0, each = 0, rest = 0;
};
// At most `most_items` per part. Enough blocks to keep a large GPU busy to the end, but no second
// pass where the work is too small to pay for one.
inline SumUnits cut_sums(std::int64_t channels, std::int64_t items, std::int64_t most_items) {
  constexpr std::int64_t kFewBlocks = 512, kBlocks = 1024, kManyBlocks = 8192, kLargeWork = 32768;
  if (channels == 0 || items == 0) return {};
  std::int64_t parts = conv_ceil_div(items, most_items);
  if (channels < kFewBlocks || items > kLargeWork / channels) {
    parts = std::max({parts, std::min(conv_ceil_div(kManyBlocks, channels), items / 4),
                      std::min(conv_ceil_div(kBlocks, channels), items)});
  }
  return {items, parts};
}

template <class T>
SumUnits cut_short_sums(const DepthwiseConv1dShape& shape, const RowTiling& tiling) {
  return cut_sums(shape.channels, conv_ceil_div(shape.batch, tiling.rows) * tiling.tiles,
                  kShortTerms / (kConvVector<T> * kConvVectors));
}
template <class T>
SumUnits cut_long_sums(const DepthwiseConv1dShape& shape, const LongSumsTiling& tiling) {
  return cut_sums(shape.channels, conv_ceil_div(shape.batch, tiling.rows) * tiling.tiles,
                  kLongTerms / (kConvSums<T> * tiling.stretches_per_thread()));
}

// True if the kernels for short filters take this shape: those of the layer, unless it is so large
// that the numbers of blocks, rows and channels, or the places in a row, do not fit in 31 bits. The
// kernels for long filters take everything.
inline constexpr std::int64_t kLargestNumber = 0x7fffffff;
inline bool is_short_filter(const DepthwiseConv1dShape& s) {
  constexpr std::int64_t kSmallestTile = 512, kLongestRow = 1 << 30;
  const std::int64_t K = s.kernel_size;
  return K <= kShortTaps && (s.left_padding == K - 1 || s.left_padding == (K - 1) / 2) &&
         s.length <= kLongestRow && s.channel_offset <= kLargestNumber - s.channels &&
         s.batch * s.channels <= kLargestNumber / (s.length / kSmallestTile + 1);
}

// Any number of blocks as a grid, whose x is limited to 2^31 - 1 and whose y to 65,535.
struct BlockGrid {
  explicit BlockGrid(std::int64_t count)
      : x(std::min(count, kWidth)), y(count == 0 ? 0 : conv_ceil_div(count, kWidth)) {}
  static constexpr std::int64_t kWidth = std::int64_t{1} << 30;
  std::int64_t x, y;
};

}  // namespace crocuta::kernels
