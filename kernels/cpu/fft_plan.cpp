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

// FFTW's planner is not thread-safe: plans of both precisions are made under this lock.
std::mutex& planner_mutex() {
  static std::mutex mutex;
  return mutex;
}
}  // namespace

template <class R>
RightAngleFft<R>::RightAngleFft(std::int64_t n) : n_(n), weights_(static_cast<std::size_t>(2 * n)) {
  for (std::int64_t j = 0; j < n; ++j) {
    const double angle = std::numbers::pi / 2 * (static_cast<double>(j) / static_cast<double>(n));
    weights_[static_cast<std::size_t>(2 * j)] = static_cast<R>(std::cos(angle));
    weights_[static_cast<std::size_t>(2 * j + 1)] = static_cast<R>(std::sin(angle));
  }
  // A plan holds for all arrays aligned like those it was made for.
  R* scratch = static_cast<R*>(fftw_malloc(sizeof(R) * static_cast<std::size_t>(4 * n)));
  if (scratch == nullptr) throw std::bad_alloc();
  forward_ = make_plan(static_cast<int>(n), FFTW_FORWARD, scratch, scratch + 2 * n);
  inverse_ = make_plan(static_cast<int>(n), FFTW_BACKWARD, scratch, scratch + 2 * n);
  fftw_free(scratch);
  if (forward_ == nullptr || inverse_ == nullptr) throw std::bad_alloc();
}

template <class R>
RightAngleFft<R>::~RightAngleFft() {
  destroy(forward_, R());
  destroy(inverse_, R());
}

template <class R>
void RightAngleFft<R>::forward(R* in, R* out) const {
  execute(forward_, in, out);
}

template <class R>
void RightAngleFft<R>::inverse(R* in, R* out) const {
  execute(inverse_, in, out);
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
  const std::lock_guard lock(planner_mutex());
  auto& plan = plans[n];
  if (!plan) plan = std::make_unique<const RightAngleFft<R>>(n);
  return *plan;
}

template class RightAngleFft<float>;
template class RightAngleFft<double>;
template const RightAngleFft<float>& right_angle_fft<float>(std::int64_t);
template const RightAngleFft<double>& right_angle_fft<double>(std::int64_t);

}  // namespace crocuta::kernels
