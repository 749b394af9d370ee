// A product on one thread. Every element of C is a chain of fused multiply-adds over up to kChain
// elements of k, and chains are added up in their order: the vectors only say how many elements are
// worked on side by side, so the bits are those of a plain loop.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

#include "kernels/cpu/simd.h"

namespace crocuta::kernels::gemm_block {

using std::int64_t;

// Chains begin anew every so many elements of k: a panel of B stays in the first-level cache so,
// and rounding errors grow with the number of chains only.
inline constexpr int64_t kChain = 256;
// Rows of A that all panels of B meet before others do: with kChain, what the second-level cache
// holds.
inline constexpr int64_t kBlockRows = 264;

// The tile of C that is kept in registers.
#if defined(__AVX512F__)
inline constexpr int kTileRows = 12;
#elif defined(__AVX__) || defined(__aarch64__)
inline constexpr int kTileRows = 6;
#else
inline constexpr int kTileRows = 2;
#endif
inline constexpr int kTileVectors = 2;
template <class A>
inline constexpr int kTileColumns = kTileVectors* simd::kLanes<A>;

// A matrix of rows `ld` elements apart; if transposed, what is stored is its transpose.
template <class T>
struct Matrix {
  const T* data;
  int64_t ld;
  bool transposed;

  const T* at(int64_t row, int64_t column) const {
    return data + (transposed ? column * ld + row : row * ld + column);
  }
};

// What the first chain is added to: beta * C, if beta is not 0, and a bias per row or per column,
// each null if there is none.
template <class A>
struct Start {
  A beta = 0;
  const A* row_bias = nullptr;
  const A* column_bias = nullptr;
};

// sum[i][j] = sum over p of a(i, p) * b[p * ldb + j]: R rows, kTileColumns columns. If `together`,
// the rows of a are those of one p: a(i, p) = a[p * lda + i]; else they are lda apart: a[i * lda +
// p].
template <class A, int R, bool Together>
[[gnu::noinline]] void multiply_tile(int64_t depth, const A* a, int64_t lda, const A* b,
                                     int64_t ldb, A* sum) {
  using V = simd::Vector<A>;
  constexpr int kGroup = 3;  // rows reached from one pointer, by what one address can hold
  constexpr int kGroups = (R + kGroup - 1) / kGroup;
  V s[R][kTileVectors] = {};
  const A* row[kGroups];
  for (int g = 0; g < kGroups; ++g) row[g] = a + (Together ? g * kGroup : g * kGroup * lda);
  for (int64_t p = 0; p < depth; ++p) {
    const V b0 = simd::load<A>(b), b1 = simd::load<A>(b + simd::kLanes<A>);
    b += ldb;
    simd::unroll<R>([&](auto i) __attribute__((always_inline)) {
      const A* const from = row[i / kGroup] + (i % kGroup) * (Together ? 1 : lda);
      const V x = simd::broadcast(*from);
      s[i][0] = simd::multiply_add(x, b0, s[i][0]);
      s[i][1] = simd::multiply_add(x, b1, s[i][1]);
    });
    for (int g = 0; g < kGroups; ++g) row[g] += Together ? lda : 1;
  }
  simd::unroll<R>([&](auto i) __attribute__((always_inline)) {
    simd::store<A>(sum + i * kTileColumns<A>, s[i][0]);
    simd::store<A>(sum + i * kTileColumns<A> + simd::kLanes<A>, s[i][1]);
  });
}

// multiply_tile of each number of rows, from 1.
template <class A, bool Together>
inline constexpr auto kTiles = []<int... R>(std::integer_sequence<int, R...>) {
  return std::array{&multiply_tile<A, R + 1, Together>...};
}
(std::make_integer_sequence<int, kTileRows>{});

// Columns [column, column + count) of rows [row, row + depth) of b, as panel[depth][kTileColumns],
// zero beyond count.
template <class T, class A>
void pack_panel(const Matrix<T>& b, int64_t row, int64_t depth, int64_t column, int64_t count,
                A* panel) {
  using V = simd::Vector<A>;
  constexpr int64_t kWidth = kTileColumns<A>, kLanes = simd::kLanes<A>;
  if (!b.transposed) {
    for (int64_t p = 0; p < depth; ++p, panel += kWidth) {
      const T* from = b.at(row + p, column);
      if (count == kWidth) {
        for (int64_t j = 0; j < kWidth; j += kLanes) {
          simd::store<A>(panel + j, simd::load<T>(from + j));
        }
      } else {
        for (int64_t j = 0; j < kWidth; ++j) panel[j] = j < count ? static_cast<A>(from[j]) : A(0);
      }
    }
    return;
  }
  for (int64_t first = 0; first < kWidth; first += kLanes) {
    int64_t p = 0;
    if (first + kLanes <= count) {
      for (; p + kLanes <= depth; p += kLanes) {
        V v[simd::kLanes<A>];
        for (int64_t j = 0; j < kLanes; ++j) {
          v[j] = simd::load<T>(b.at(row + p, column + first + j));
        }
        simd::transpose<A>(v);
        for (int64_t i = 0; i < kLanes; ++i) {
          simd::store<A>(panel + (p + i) * kWidth + first, v[i]);
        }
      }
    }
    for (int64_t j = first; j < first + kLanes; ++j) {
      const T* from = j < count ? b.at(row, column + j) : nullptr;
      for (int64_t i = p; i < depth; ++i) {
        panel[i * kWidth + j] = from != nullptr ? static_cast<A>(from[i]) : A(0);
      }
    }
  }
}

// A block of a as A, its rows (of what is stored) close together.
template <class T, class A>
Matrix<A> pack_block(const Matrix<T>& a, int64_t row, int64_t rows, int64_t column, int64_t columns,
                     A* block) {
  if (a.transposed) std::swap(rows, columns);
  const T* from = a.at(row, column);
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < columns; ++j) {
      block[i * columns + j] = static_cast<A>(from[i * a.ld + j]);
    }
  }
  return {block, columns, a.transposed};
}

// Adds a tile's sums, alpha times, to rows from `row` and columns from `column` of C, or, if there
// is a `start`, to that. Width: what `columns` is, if that is kTileColumns, else 0.
template <class A, int64_t Width>
void add_tile(const A* sum, A alpha, const Start<A>* start, int64_t row, int64_t rows,
              int64_t column, int64_t columns, A* c, int64_t ldc) {
  const int64_t width = Width != 0 ? Width : columns;
  for (int64_t i = 0; i < rows; ++i, sum += kTileColumns<A>) {
    A* to = c + (row + i) * ldc + column;
    if (start == nullptr) {
      for (int64_t j = 0; j < width; ++j) to[j] += alpha * sum[j];
    } else if (start->beta == A(0) && start->row_bias == nullptr && start->column_bias == nullptr) {
      for (int64_t j = 0; j < width; ++j) to[j] = alpha * sum[j];
    } else {
      const A constant = start->row_bias != nullptr ? start->row_bias[row + i] : A(0);
      for (int64_t j = 0; j < width; ++j) {
        A from = start->column_bias != nullptr ? start->column_bias[column + j] : constant;
        if (start->beta != A(0)) from += start->beta * to[j];
        to[j] = from + alpha * sum[j];
      }
    }
  }
}

// c = start + alpha * a b, or, without a `start`, c + alpha * a b, for a [m, k] and b [k, n].
template <class T, class A>
void multiply(int64_t m, int64_t n, int64_t k, A alpha, const Matrix<T>& a, const Matrix<T>& b,
              const Start<A>* start, A* c, int64_t ldc) {
  constexpr int64_t kWidth = kTileColumns<A>;
  alignas(64) thread_local A block[kBlockRows * kChain];
  alignas(64) A panel[kChain * kWidth];
  alignas(64) A sum[kTileRows * kWidth];
  // As many rows in each block, whole tiles but in the last.
  const int64_t blocks = (m + kBlockRows - 1) / kBlockRows;
  const int64_t step = ((m + blocks - 1) / blocks + kTileRows - 1) / kTileRows * kTileRows;
  int64_t first = 0;
  do {  // once even if k is 0
    const int64_t depth = std::min(kChain, k - first);
    for (int64_t top = 0; top < m; top += step) {
      const int64_t rows = std::min(step, m - top);
      Matrix<A> x;
      if constexpr (std::is_same_v<T, A>) x = {a.at(top, first), a.ld, a.transposed};
      // A row of A^T brings a few numbers to each tile; few panels do not repay a copy.
      if (!std::is_same_v<T, A> || (a.transposed && n > 2 * kWidth)) {
        x = pack_block(a, top, rows, first, depth, block);
      }
      for (int64_t column = 0; column < n; column += kWidth) {
        const int64_t columns = std::min(kWidth, n - column);
        const A* y = panel;
        int64_t ldy = kWidth;
        if (std::is_same_v<T, A> && !b.transposed && columns == kWidth && rows <= 2 * kTileRows) {
          if constexpr (std::is_same_v<T, A>) y = b.at(first, column), ldy = b.ld;
        } else {
          pack_panel(b, first, depth, column, columns, panel);
        }
        for (int64_t i = 0; i < rows; i += kTileRows) {
          const int64_t count = std::min<int64_t>(kTileRows, rows - i);
          const auto which = static_cast<std::size_t>(count - 1);
          const auto tile = x.transposed ? kTiles<A, true>[which] : kTiles<A, false>[which];
          tile(depth, x.at(i, 0), x.ld, y, ldy, sum);
          const auto add = columns == kWidth ? &add_tile<A, kWidth> : &add_tile<A, 0>;
          add(sum, alpha, start, top + i, count, column, columns, c, ldc);
        }
      }
    }
    start = nullptr;
    first += depth;
  } while (first < k);
}

}  // namespace crocuta::kernels::gemm_block
