// What the transforms of fft_plan.h do to the rows, in as many lanes as V has: a vector of R, or R
// itself, by which tests show that the bits are the same.
#pragma once

#include <algorithm>
#include <cstring>

#include "kernels/cpu/fft_butterflies.h"
#include "kernels/cpu/fft_plan.h"

namespace crocuta::kernels::fft {

inline constexpr int kColumns = 16;
inline constexpr int kRow = 2 * kColumns;  // numbers in a row: real parts, then imaginary parts
inline constexpr int kGroup = kColumns * kRow;

template <class V, class R>
CROCUTA_INLINE V get(const R* p) {
  V v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
template <class V, class R>
CROCUTA_INLINE void put(R* p, V v) {
  std::memcpy(static_cast<void*>(p), &v, sizeof v);
}

// The rows x 16 numbers from[row * kRow + column] as to[column * kRow + row], or with Back the
// opposite; rows are as many as there are, rounded up to what V holds.
template <class V, bool Back, class R>
CROCUTA_INLINE void transpose_tile(const R* from, R* to, int rows) {
  constexpr int W = sizeof(V) / sizeof(R);
  for (int row = 0; row < rows; row += W) {
    for (int column = 0; column < kColumns; column += W) {
      const int from_row = Back ? column : row, to_row = Back ? row : column;
      V v[W];
      for (int i = 0; i < W; ++i) v[i] = get<V>(from + (from_row + i) * kRow + to_row);
      if constexpr (W > 1) simd::transpose<R>(v);
      for (int i = 0; i < W; ++i) put(to + (to_row + i) * kRow + from_row, v[i]);
    }
  }
}

// The passes of a plan. Where Inverse, real and imaginary parts are exchanged in all that is read
// and written (see dft()), factors come after the butterflies instead of before them, and all of it
// in the opposite order.
template <class V, class R>
class Passes {
 public:
  explicit Passes(const FftPlan<R>& plan) : plan_(plan) {}

  // As RightAngleFft::through(). Without x there is no way forth: the spectrum is what `piece`
  // makes it; without y no way back.
  template <class F>
  void run(const R* x, R* spectrum, R* product, R* y, const F& piece) const {
    const std::int64_t rows = plan_.rows();
    if (x != nullptr) {
      // Rows that only fill up a group are zero, lest they be slow, being infinite or subnormal.
      std::fill(spectrum + rows * kRow, spectrum + plan_.spectrum_size(), R(0));
      from_real(x, spectrum);
    }
    const Piece whole{0, rows, spectrum, product, x != nullptr, y != nullptr};
    const auto& passes = plan_.passes();
    if (passes.empty() || !is_long(rows, passes.front())) {
      walk(1, whole, piece);
    } else {
      for (int k = 0; k < passes.front().radix; ++k) {
        walk(1, whole.part(k, passes.front().radix), piece);
      }
    }
    if (y != nullptr) to_real(product, y);
  }

 private:
  using Pass = typename FftPlan<R>::Pass;
  static constexpr int kWidth = sizeof(V) / sizeof(R);
  // Pieces of up to so many rows are taken through all passes before the next is begun. They fit
  // the first-level cache, together with the others that belong to them.
  static constexpr std::int64_t kShort = 64;
  static bool is_long(std::int64_t height, const Pass& pass) {
    return height > kShort && height / pass.radix % kColumns == 0;
  }

  // `height` rows from row number `first` on, here and in the product, and what is to be done.
  struct Piece {
    std::int64_t first, height;
    R *rows, *product;
    bool forth, back;

    Piece part(std::int64_t k, std::int64_t parts) const {
      const std::int64_t begin = k * (height / parts);
      return {first + begin,          height / parts, rows + begin * kRow,
              product + begin * kRow, forth,          back};
    }
  };

  template <int Radix>
  struct Factors {
    Complex<V> of[Radix];
    explicit CROCUTA_INLINE Factors(const R* factors) {
      for (int s = 1; s < Radix; ++s) {
        of[s] = {splat<V>(factors[2 * s - 2]), splat<V>(factors[2 * s - 1])};
      }
    }
  };

  // f(integral_constant radix)
  template <class F>
  static void with_radix(int radix, F&& f) {
    switch (radix) {
      case 2:
        return f(std::integral_constant<int, 2>());
      case 3:
        return f(std::integral_constant<int, 3>());
      case 4:
        return f(std::integral_constant<int, 4>());
      case 5:
        return f(std::integral_constant<int, 5>());
      default:
        return f(std::integral_constant<int, 8>());
    }
  }

  // The first pass: x is real, so that multiplying by the factors is cheap.
  void from_real(const R* x, R* rows) const {
    if (plan_.passes().empty()) {
      std::copy(x, x + kColumns, rows);
      std::fill(rows + kColumns, rows + kRow, R(0));
      return;
    }
    const Pass& pass = plan_.passes().front();
    const std::int64_t step = pass.rows / pass.radix;
    with_radix(pass.radix, [&](auto radix) {
      constexpr int kRadix = radix;
      const Factors<kRadix> c(pass.factors.data());
      for (std::int64_t at = 0; at < step * kColumns; at += kWidth) {
        R* const to = rows + at / kColumns * kRow + at % kColumns;
        dft<kRadix, R>(
            [&](int s) __attribute__((always_inline)) {
              const V value = get<V>(x + at + s * step * kColumns);
              if (s == 0) return Complex<V>{value, V{}};
              return Complex<V>{value * c.of[s].re, value * c.of[s].im};
            },
            [&](int k, Complex<V> z) __attribute__((always_inline)) {
              put(to + k * step * kRow, z.re);
              put(to + k * step * kRow + kColumns, z.im);
            });
      }
    });
  }

  // The last one back: only real parts are wanted.
  void to_real(const R* rows, R* x) const {
    if (plan_.passes().empty()) {
      std::copy(rows, rows + kColumns, x);
      return;
    }
    const Pass& pass = plan_.passes().front();
    const std::int64_t step = pass.rows / pass.radix;
    with_radix(pass.radix, [&](auto radix) {
      constexpr int kRadix = radix;
      const Factors<kRadix> c(pass.factors.data());
      for (std::int64_t at = 0; at < step * kColumns; at += kWidth) {
        const R* const from = rows + at / kColumns * kRow + at % kColumns;
        dft<kRadix, R>(
            [&](int k) __attribute__((always_inline)) {
              const R* const row = from + k * step * kRow;
              return Complex<V>{get<V>(row + kColumns), get<V>(row)};
            },
            [&](int s, Complex<V> z) __attribute__((always_inline)) {
              put(x + at + s * step * kColumns, s == 0 ? z.im : (z * c.of[s]).im);
            });
      }
    });
  }

  // One block of a pass, in place.
  template <int Radix, bool Inverse>
  static void butterflies(R* rows, std::int64_t step, const R* factors) {
    constexpr int kRe = Inverse ? kColumns : 0, kIm = kColumns - kRe;
    const Factors<Radix> c(factors);
    for (std::int64_t row = 0; row < step; ++row) {
      for (int lane = 0; lane < kColumns; lane += kWidth) {
        R* const at = rows + row * kRow + lane;
        dft<Radix, R>(
            [&](int s) __attribute__((always_inline)) {
              const R* const from = at + s * step * kRow;
              const Complex<V> z = {get<V>(from + kRe), get<V>(from + kIm)};
              return Inverse || s == 0 ? z : z * c.of[s];
            },
            [&](int s, Complex<V> z) __attribute__((always_inline)) {
              R* const to = at + s * step * kRow;
              if (Inverse && s > 0) z = z * c.of[s];
              put(to + kRe, z.re);
              put(to + kIm, z.im);
            });
      }
    }
  }

  // A pass over `height` rows from row number `first` on.
  template <bool Inverse>
  static void run_pass(const Pass& pass, std::int64_t first, std::int64_t height, R* rows) {
    with_radix(pass.radix, [&](auto radix) {
      constexpr int kRadix = radix;
      const R* factors = pass.factors.data() + first / pass.rows * 2 * (kRadix - 1);
      for (std::int64_t row = 0; row < height; row += pass.rows) {
        butterflies<kRadix, Inverse>(rows + row * kRow, pass.rows / kRadix, factors);
        factors += 2 * (kRadix - 1);
      }
    });
  }

  // All groups have 16 rows but the last.
  int rows_of(std::int64_t group) const {
    return static_cast<int>(std::min<std::int64_t>(plan_.rows() - group * kColumns, kColumns));
  }

  // 16 rows to 16 numbers each, in place.
  void cut_group(std::int64_t group, R* rows) const {
    alignas(64) R tile[kColumns * kRow];
    const int lanes = rows_of(group);
    for (const int part : {0, kColumns}) {
      transpose_tile<V, false>(rows + part, tile + part, lanes);
    }
    const auto* const c = plan_.last_factors(group) - 1;
    for (int lane = 0; lane < lanes; lane += kWidth) {
      dft<kColumns, R>(
          [&](int s) __attribute__((always_inline)) {
            const R* const at = tile + s * kRow + lane;
            const Complex<V> z = {get<V>(at), get<V>(at + kColumns)};
            return s == 0 ? z : z * last_factor(c[s], lane);
          },
          [&](int k, Complex<V> z) __attribute__((always_inline)) {
            put(rows + k * kRow + lane, z.re);
            put(rows + k * kRow + kColumns + lane, z.im);
          });
    }
  }
  void join_group(std::int64_t group, R* rows) const {
    alignas(64) R tile[kColumns * kRow];
    const int lanes = rows_of(group);
    const auto* const c = plan_.last_factors(group) - 1;
    for (int lane = 0; lane < lanes; lane += kWidth) {
      dft<kColumns, R>(
          [&](int k) __attribute__((always_inline)) {
            const R* const at = rows + k * kRow + lane;
            return Complex<V>{get<V>(at + kColumns), get<V>(at)};
          },
          [&](int s, Complex<V> z) __attribute__((always_inline)) {
            if (s > 0) z = z * last_factor(c[s], lane);
            put(tile + s * kRow + lane, z.im);
            put(tile + s * kRow + kColumns + lane, z.re);
          });
    }
    for (const int part : {0, kColumns}) {
      transpose_tile<V, true>(tile + part, rows + part, lanes);
    }
  }
  static CROCUTA_INLINE Complex<V> last_factor(const typename FftPlan<R>::Lanes& c, int lane) {
    return {get<V>(c.re + lane), get<V>(c.im + lane)};
  }

  // Takes rows through the passes from number `index` on, and back.
  template <class F>
  void walk(std::size_t index, const Piece& p, const F& piece) const {
    const auto& passes = plan_.passes();
    if (index < passes.size() && is_long(p.height, passes[index])) {
      const Pass& pass = passes[index];
      if (p.forth) run_pass<false>(pass, p.first, p.height, p.rows);
      for (int k = 0; k < pass.radix; ++k) walk(index + 1, p.part(k, pass.radix), piece);
      if (p.back) run_pass<true>(pass, p.first, p.height, p.product);
      return;
    }
    const std::int64_t groups = (p.height + kColumns - 1) / kColumns;
    const std::int64_t first = p.first / kColumns;
    if (p.forth) {
      for (std::size_t i = index; i < passes.size(); ++i) {
        run_pass<false>(passes[i], p.first, p.height, p.rows);
      }
      for (std::int64_t g = 0; g < groups; ++g) cut_group(first + g, p.rows + g * kGroup);
    }
    piece(first * kGroup, (first + groups) * kGroup);
    if (p.back) {
      for (std::int64_t g = 0; g < groups; ++g) join_group(first + g, p.product + g * kGroup);
      for (std::size_t i = passes.size(); i-- > index;) {
        run_pass<true>(passes[i], p.first, p.height, p.product);
      }
    }
  }

  const FftPlan<R>& plan_;
};

}  // namespace crocuta::kernels::fft
