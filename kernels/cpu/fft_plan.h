// The transform behind the FFT convolution: a "right-angle" FFT.
//
// An ordinary complex FFT of n points multiplies polynomials modulo x^n - 1. This one multiplies
// them modulo x^n - i: what runs past the end of a product of two real sequences comes back
// multiplied by i, that is, as the imaginary part, and the real part is the causal convolution. So
// n = L points do, instead of 2 L real ones, and the spectrum needs no untangling. (Crandall and
// Fagin, "Discrete weighted transforms and large-integer arithmetic", Math. Comp. 62, 1994.) With a
// conjugated factor the same holds for correlations, which is what the gradients are.
//
// How. The elements x[16 q + l] with one l are a column, and the 16 columns lie side by side in
// rows: vector registers hold parts of a row, whatever the vectors' length, and all columns are
// treated alike. With X = x^16 each column is a polynomial modulo X^m - i, m = n / 16. A pass of
// radix r cuts polynomials modulo X^len - c^r into r modulo X^(len/r) - c w^k, w^r = 1: element s
// is multiplied by c^s, and r elements are transformed. So there is one c per block and no pass of
// weights, and what lies in memory is cut in place. After the passes each of the m rows is a
// polynomial in x of degree 15 modulo x^16 - c; the last pass transposes 16 rows at a time and cuts
// them into 16 numbers each. All of it is fixed by n: the same bits on every machine with fused
// multiply-adds, at any length of its vectors, and with any rows beside this one.
#pragma once

#include <cstdint>
#include <vector>

namespace crocuta::kernels {

// What a transform of n points multiplies by. The work is done by fft_passes.h.
template <class R>
class FftPlan {
 public:
  static constexpr std::int64_t kColumns = 16;

  struct Pass {
    int radix;
    std::int64_t blocks, rows;  // this pass cuts so many blocks, of so many rows each
    std::vector<R> factors;     // [blocks, radix - 1] pairs: c^1, ... of each block
  };

  struct alignas(64) Lanes {
    R re[kColumns], im[kColumns];
  };

  // n is a right_angle_fft_size().
  explicit FftPlan(std::int64_t n);

  std::int64_t n() const { return n_; }
  std::int64_t rows() const { return n_ / kColumns; }
  // Rows come in groups of 16, the last of which may be filled up.
  std::int64_t groups() const { return (rows() + kColumns - 1) / kColumns; }
  const std::vector<Pass>& passes() const { return passes_; }
  // Of the last pass: c^1, ..., c^15 of a group's 16 rows.
  const Lanes* last_factors(std::int64_t group) const {
    return last_factors_.data() + group * (kColumns - 1);
  }

  // Numbers in a spectrum, which is stored as [groups, 16, 2 (real, imaginary), 16 rows]. What fills
  // up the last group has no meaning.
  std::int64_t spectrum_size() const { return groups() * 2 * kColumns * kColumns; }
  // The element (group, k, row) is the value at x = exp(2 pi i (f + 1/4) / n) with this f.
  std::int64_t frequency(std::int64_t group, std::int64_t k, std::int64_t row) const;

 private:
  // The same of a block of columns, before pass number `pass`: the root is X^rows = exp(2 pi i (f +
  // 1/4) / blocks).
  std::int64_t block_frequency(std::size_t pass, std::int64_t block) const;

  std::int64_t n_;
  std::vector<Pass> passes_;
  std::vector<Lanes> last_factors_;  // [groups, 15]
};

// From n real numbers to a spectrum of n complex ones, and back. Spectra are only good for
// multiplying: where a frequency lies is said by the plan, and so is their size.
template <class R>
class RightAngleFft {
 public:
  explicit RightAngleFft(std::int64_t n) : plan_(n) {}

  const FftPlan<R>& plan() const { return plan_; }
  std::int64_t n() const { return plan_.n(); }
  std::int64_t spectrum_size() const { return plan_.spectrum_size(); }

  // x [n] → spectrum, and n times the x of a spectrum, which is overwritten. All arrays are
  // different and aligned to 64 bytes. Safe to call from many threads.
  void forward(const R* x, R* spectrum) const {
    run(x, spectrum, spectrum, nullptr, nullptr, nullptr);
  }
  void inverse(R* spectrum, R* x) const { run(nullptr, spectrum, spectrum, x, nullptr, nullptr); }

  // Both, with a product in between, a piece at a time, which is still in the caches: x → spectrum;
  // piece(begin, end) makes these elements of the product from those of the spectrum; product → y,
  // by which it is overwritten. The product may be the spectrum itself. y may be null: not wanted.
  template <class F>
  void through(const R* x, R* spectrum, R* product, R* y, const F& piece) const {
    run(x, spectrum, product, y, call<F>, &piece);
  }

 private:
  using PieceFunction = void (*)(const void* f, std::int64_t begin, std::int64_t end);
  template <class F>
  static void call(const void* f, std::int64_t begin, std::int64_t end) {
    (*static_cast<const F*>(f))(begin, end);
  }
  void run(const R* x, R* spectrum, R* product, R* y, PieceFunction piece, const void* f) const;

  FftPlan<R> plan_;
};

// The transform for rows of `length`. Made once per n and kept for the life of the program;
// thread-safe.
template <class R>
const RightAngleFft<R>& right_angle_fft(std::int64_t length);

// The n of right_angle_fft(length): the least that is not below it of the numbers 16 f 2^i with f
// of 1, 3, 5, 9 and 15.
std::int64_t right_angle_fft_size(std::int64_t length);

// The numbers in the spectrum of right_angle_fft(length).
std::int64_t right_angle_spectrum_size(std::int64_t length);

}  // namespace crocuta::kernels
