#include "kernels/cpu/fft_plan.h"

#include <fftw3.h>

#include <cmath>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <numbers>

namespace crocuta::kernels {
namespace {

// FFTW's two precisions under one name. FFTW_ESTIMATE plans without timing anything, so that the
// same plan, hence the same bits, come out in every run.
void* make_plan(int n, int sign, float* in, float* out) {
  return fftwf_plan_dft_1d(n, reinterpret_cast<fftwf_complex*>(in),
                           reinterpret_cast<fftwf_complex*>(out), sign,
                           FFTW_ESTIMATE | FFTW_DESTROY_INPUT);
}
void* make_plan(int n, int sign, double* in, double* out) {
  return fftw_plan_dft_1d(n, reinterpret_cast<fftw_complex*>(in),
                          reinterpret_cast<fftw_complex*>(out), sign,
                          FFTW_ESTIMATE | FFTW_DESTROY_INPUT);
}
void execute(void* plan, float* in, float* out) {
  fftwf_execute_dft(static_cast<fftwf_plan>(plan), reinterpret_cast<fftwf_complex*>(in),
                    reinterpret_cast<fftwf_complex*>(out));
}
void execute(void* plan, double* in, double* out) {
  fftw_execute_dft(static_cast<fftw_plan>(plan), reinterpret_cast<fftw_complex*>(in),
                   reinterpret_cast<fftw_complex*>(out));
}

void destroy(void* plan, float) {
  fftwf_destroy_plan(static_cast<fftwf_plan>(plan));
}
void destroy(void* plan, double) {
  fftw_destroy_plan(static_cast<fftw_plan>(plan));
}

// From here on rows are cut in four: longer transforms leave the first-level cache, and FFTW's time
// per point grows by 40 to 110 % (n = 4,096 to 16,384).
constexpr std::int64_t kSplit = 4096;

// (cos, sin) of q pi / 8: the fourth root of i, to the power q.
template <class R>
inline constexpr R kCos[4] = {R(1), R(0.92387953251128675613), R(0.70710678118654752440),
                              R(0.38268343236508977173)};
template <class R>
inline constexpr R kSin[4] = {R(0), kCos<R>[3], kCos<R>[2], kCos<R>[1]};

// a = x * w, x real.
template <class R>
void weigh(std::int64_t n, const R* __restrict x, const R* __restrict w, R* __restrict a) {
  for (std::int64_t j = 0; j < n; ++j) {
    a[2 * j] = x[j] * w[2 * j];
    a[2 * j + 1] = x[j] * w[2 * j + 1];
  }
}

// x = real part of a * conj(w)
template <class R>
void unweigh(std::int64_t n, const R* __restrict a, const R* __restrict w, R* __restrict x) {
  for (std::int64_t j = 0; j < n; ++j) x[j] = a[2 * j] * w[2 * j] + a[2 * j + 1] * w[2 * j + 1];
}

// x [4 m] real modulo x^m - r for the four r, each times its weights: a [4, m] pairs.
template <class R>
void weigh4(std::int64_t m, const R* __restrict x, const R* __restrict w, R* __restrict a) {
  for (std::int64_t j = 0; j < m; ++j) {
    const R x0 = x[j], x1 = x[m + j], x2 = x[2 * m + j], x3 = x[3 * m + j];
    const R re2 = kCos<R>[2] * x2, im2 = kSin<R>[2] * x2;
    const R re1 = kCos<R>[1] * x1, im1 = kSin<R>[1] * x1;
    const R re3 = kCos<R>[3] * x3, im3 = kSin<R>[3] * x3;
    const R even_re = x0 + re2, odd_re = re1 + re3, odd_im = im1 + im3;
    const R rest_re = x0 - re2, turn_re = re1 - re3, turn_im = im1 - im3;
    const R re[4] = {even_re + odd_re, rest_re - turn_im, even_re - odd_re, rest_re + turn_im};
    const R im[4] = {im2 + odd_im, turn_re - im2, im2 - odd_im, -im2 - turn_re};
    for (std::int64_t k = 0; k < 4; ++k) {
      const std::int64_t at = 2 * (k * m + j);
      a[at] = re[k] * w[at] - im[k] * w[at + 1];
      a[at + 1] = re[k] * w[at + 1] + im[k] * w[at];
    }
  }
}

// The inverse of weigh4, times 4, of which only the real part is wanted.
template <class R>
void unweigh4(std::int64_t m, const R* __restrict a, const R* __restrict w, R* __restrict x) {
  for (std::int64_t j = 0; j < m; ++j) {
    R re[4], im[4];
    for (std::int64_t k = 0; k < 4; ++k) {
      const std::int64_t at = 2 * (k * m + j);
      re[k] = a[at] * w[at] + a[at + 1] * w[at + 1];
      im[k] = a[at + 1] * w[at] - a[at] * w[at + 1];
    }
    const R re02 = re[0] - re[2], im02 = im[0] - im[2];
    const R re13 = re[1] - re[3], im13 = im[1] - im[3];
    x[j] = re[0] + re[1] + re[2] + re[3];
    x[m + j] = kCos<R>[1] * (re02 + im13) + kSin<R>[1] * (im02 - re13);
    x[2 * m + j] =
        kCos<R>[2] * (re[0] - re[1] + re[2] - re[3]) + kSin<R>[2] * (im[0] - im[1] + im[2] - im[3]);
    x[3 * m + j] = kCos<R>[3] * (re02 - im13) + kSin<R>[3] * (im02 + re13);
  }
}
}  // namespace

template <class R>
RightAngleFft<R>::RightAngleFft(std::int64_t n)
    : n_(n),
      factors_(n >= kSplit ? 4 : 1),
      leaf_(n / factors_),
      weights_(static_cast<std::size_t>(2 * n)) {
  for (std::int64_t k = 0; k < factors_; ++k) {
    // The angle of this factor's root, (pi / 2 + 2 pi k) / factors, spread over the leaf.
    const double root =
        std::numbers::pi * (0.5 + 2.0 * static_cast<double>(k)) / static_cast<double>(factors_);
    for (std::int64_t j = 0; j < leaf_; ++j) {
      const double angle = root * (static_cast<double>(j) / static_cast<double>(leaf_));
      const auto at = static_cast<std::size_t>(2 * (k * leaf_ + j));
      weights_[at] = static_cast<R>(std::cos(angle));
      weights_[at + 1] = static_cast<R>(std::sin(angle));
    }
  }
  // A plan holds for all arrays aligned like those it was made for.
  R* scratch = static_cast<R*>(fftw_malloc(sizeof(R) * static_cast<std::size_t>(4 * leaf_)));
  if (scratch == nullptr) throw std::bad_alloc();
  forward_ = make_plan(static_cast<int>(leaf_), FFTW_FORWARD, scratch, scratch + 2 * leaf_);
  inverse_ = make_plan(static_cast<int>(leaf_), FFTW_BACKWARD, scratch, scratch + 2 * leaf_);
  fftw_free(scratch);
  if (forward_ == nullptr || inverse_ == nullptr) throw std::bad_alloc();
}

template <class R>
RightAngleFft<R>::~RightAngleFft() {
  destroy(forward_, R());
  destroy(inverse_, R());
}

template <class R>
void RightAngleFft<R>::forward(const R* x, R* scratch, R* spectrum) const {
  (factors_ == 4 ? weigh4<R> : weigh<R>)(leaf_, x, weights_.data(), scratch);
  for (std::int64_t at = 0; at < 2 * n_; at += 2 * leaf_) {
    execute(forward_, scratch + at, spectrum + at);
  }
}

template <class R>
void RightAngleFft<R>::inverse(R* spectrum, R* scratch, R* x) const {
  for (std::int64_t at = 0; at < 2 * n_; at += 2 * leaf_) {
    execute(inverse_, spectrum + at, scratch + at);
  }
  (factors_ == 4 ? unweigh4<R> : unweigh<R>)(leaf_, scratch, weights_.data(), x);
}

std::mutex& fftw_planner_mutex() {
  static std::mutex mutex;
  return mutex;
}

std::int64_t right_angle_fft_size(std::int64_t length) {
  std::int64_t n = 1;
  while (n < length) n *= 2;
  // FFTW is as fast per point at 5 * 2^i as at 2^i, and clearly slower with factors of 3 and 7.
  return n >= 8 && n / 8 * 5 >= length ? n / 8 * 5 : n;
}

template <class R>
const RightAngleFft<R>& right_angle_fft(std::int64_t length) {
  static std::map<std::int64_t, std::unique_ptr<const RightAngleFft<R>>> plans;
  const std::int64_t n = right_angle_fft_size(length);
  const std::lock_guard lock(fftw_planner_mutex());
  auto& plan = plans[n];
  if (!plan) plan = std::make_unique<const RightAngleFft<R>>(n);
  return *plan;
}

template class RightAngleFft<float>;
template class RightAngleFft<double>;
template const RightAngleFft<float>& right_angle_fft<float>(std::int64_t);
template const RightAngleFft<double>& right_angle_fft<double>(std::int64_t);

}  // namespace crocuta::kernels
