// The transform behind the FFT convolution: a "right-angle" FFT.
//
// An ordinary complex FFT of n points multiplies polynomials modulo x^n - 1. Scaling element j by
// w^j before and by w^-j after, w = exp(i pi / (2 n)), makes that x^n - i: what runs past the end
// of a product of two real sequences comes back multiplied by i, that is, as the imaginary part,
// and the real part is the causal convolution. So n = L points do, instead of 2 L real ones, and
// the spectrum needs no untangling. (Crandall and Fagin, "Discrete weighted transforms and
// large-integer arithmetic", Math. Comp. 62, 1994.) With a conjugated factor the same holds for
// correlations, which is what the gradients are.
#pragma once

#include <cstdint>
#include <vector>

namespace crocuta::kernels {

// Transforms of `n` complex numbers, which are stored as pairs (real, imaginary). Neither direction
// scales, so that both together multiply by n.
template <class R>
class RightAngleFft {
 public:
  explicit RightAngleFft(std::int64_t n);
  ~RightAngleFft();
  RightAngleFft(const RightAngleFft&) = delete;
  RightAngleFft& operator=(const RightAngleFft&) = delete;

  std::int64_t n() const { return n_; }
  // w^j, j < n.
  const R* weights() const { return weights_.data(); }

  // `in` and `out` [n] are different arrays aligned to 64 bytes; `in` may be overwritten. Safe to
  // call from many threads.
  void forward(R* in, R* out) const;
  void inverse(R* in, R* out) const;

 private:
  std::int64_t n_;
  std::vector<R> weights_;
  void* forward_;
  void* inverse_;
};

// The transform for rows of `length`: n is the least power of two, or five times one, that is not
// below it. Made once per n and kept for the life of the program; thread-safe.
template <class R>
const RightAngleFft<R>& right_angle_fft(std::int64_t length);

// The n of right_angle_fft(length).
std::int64_t right_angle_fft_size(std::int64_t length);

}  // namespace crocuta::kernels
