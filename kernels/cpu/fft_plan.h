// The transform behind the FFT convolution: a "right-angle" FFT.
//
// An ordinary complex FFT of n points multiplies polynomials modulo x^n - 1. Scaling element j by
// w^j before and by w^-j after, w = exp(i pi / (2 n)), makes that x^n - i: what runs past the end
// of a product of two real sequences comes back multiplied by i, that is, as the imaginary part,
// and the real part is the causal convolution. So n = L points do, instead of 2 L real ones, and
// the spectrum needs no untangling. (Crandall and Fagin, "Discrete weighted transforms and
// large-integer arithmetic", Math. Comp. 62, 1994.) With a conjugated factor the same holds for
// correlations, which is what the gradients are.
//
// Long rows are first reduced modulo the four factors x^(n/4) - r, r^4 = i, in the pass that scales
// them: four short transforms that fit the first-level cache take less time than FFTW's long one.
#pragma once

#include <cstdint>
#include <mutex>
#include <vector>

namespace crocuta::kernels {

// From n real numbers to a spectrum of n complex ones, stored as pairs (real, imaginary), and back.
// Spectra are only good for multiplying: their order is FFTW's for one factor after the other.
template <class R>
class RightAngleFft {
 public:
  explicit RightAngleFft(std::int64_t n);
  ~RightAngleFft();
  RightAngleFft(const RightAngleFft&) = delete;
  RightAngleFft& operator=(const RightAngleFft&) = delete;

  std::int64_t n() const { return n_; }

  // x [n] → spectrum [n pairs]. All arrays are different and aligned to 64 bytes; scratch holds n
  // pairs. Safe to call from many threads, as is inverse().
  void forward(const R* x, R* scratch, R* spectrum) const;
  // n times the x that has this spectrum, which is overwritten.
  void inverse(R* spectrum, R* scratch, R* x) const;

 private:
  std::int64_t n_, factors_, leaf_;  // n = factors * leaf
  std::vector<R> weights_;           // [factors, leaf] pairs
  void* forward_;
  void* inverse_;
};

// The transform for rows of `length`: n is the least power of two, or five times one, that is not
// below it. Made once per n and kept for the life of the program; thread-safe.
template <class R>
const RightAngleFft<R>& right_angle_fft(std::int64_t length);

// The n of right_angle_fft(length).
std::int64_t right_angle_fft_size(std::int64_t length);

// FFTW's planner is not thread-safe: plans of both precisions are made, and destroyed, under this
// lock.
std::mutex& fftw_planner_mutex();

}  // namespace crocuta::kernels
