// The CPU's transforms, from n real numbers to n complex ones and back, beside FFTW's complex
// transform of n points (FFTW_ESTIMATE, one thread), where FFTW was found. FFTW's has no weights to
// multiply by, which ours has.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>
#include <vector>

#include "bench/harness.h"
#include "kernels/cpu/fft_plan.h"
#if defined(CROCUTA_WITH_FFTW)
#include <fftw3.h>
#endif

namespace crocuta::bench {
namespace {

#if defined(CROCUTA_WITH_FFTW)
// FFTW's two precisions under one name.
class Peer {
 public:
  Peer(int n, float* in, float* out)
      : single_(fftwf_plan_dft_1d(n, reinterpret_cast<fftwf_complex*>(in),
                                  reinterpret_cast<fftwf_complex*>(out), FFTW_FORWARD,
                                  FFTW_ESTIMATE)) {}
  Peer(int n, double* in, double* out)
      : double_(fftw_plan_dft_1d(n, reinterpret_cast<fftw_complex*>(in),
                                 reinterpret_cast<fftw_complex*>(out), FFTW_FORWARD,
                                 FFTW_ESTIMATE)) {}
  ~Peer() {
    fftwf_destroy_plan(single_);
    fftw_destroy_plan(double_);
  }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;
  void run() const {
    if (single_ != nullptr) fftwf_execute(single_);
    if (double_ != nullptr) fftw_execute(double_);
  }

 private:
  fftwf_plan single_ = nullptr;
  fftw_plan double_ = nullptr;
};
#endif

template <class R>
void measure(std::int64_t n) {
  const kernels::RightAngleFft<R> fft(n);
  constexpr std::size_t kFloats = sizeof(R) / sizeof(float);
  const auto buffer = [](std::int64_t numbers) {
    auto made = std::make_unique<Buffer>(static_cast<std::size_t>(numbers) * kFloats);
    R* const x = reinterpret_cast<R*>(made->data());
    for (std::int64_t j = 0; j < numbers; ++j) x[j] = static_cast<R>(j % 7) - 3;
    return made;
  };
  const auto x_buffer = buffer(n), y_buffer = buffer(n),
             spectrum_buffer = buffer(fft.spectrum_size());
  R* const x = reinterpret_cast<R*>(x_buffer->data());
  R* const y = reinterpret_cast<R*>(y_buffer->data());
  R* const spectrum = reinterpret_cast<R*>(spectrum_buffer->data());
  std::vector<Candidate> candidates = {
      {"forward", [&] { fft.forward(x, spectrum); }},
      // Of zeros: what was transformed again and again would overflow.
      {"inverse", [&] { fft.inverse(spectrum, y); }}};
#if defined(CROCUTA_WITH_FFTW)
  const auto in = buffer(2 * n), out = buffer(2 * n);
  const Peer peer(static_cast<int>(n), reinterpret_cast<R*>(in->data()),
                  reinterpret_cast<R*>(out->data()));
  candidates.push_back({"FFTW", [&] { peer.run(); }});
#endif
  std::fill(x, x + n, R(0));
  const auto times = compare(candidates);
  const double operations = 5e-9 * static_cast<double>(n) * std::log2(static_cast<double>(n));
  std::printf("%s %8lld |", sizeof(R) == 4 ? "float32" : "float64", static_cast<long long>(n));
  for (const Timing& t : times)
    std::printf(" %10.2f %6.1f |", t.median * 1e6, operations / t.median);
  if (times.size() == 3) {
    std::printf(" %5.2f %5.2f", times[2].median / times[0].median,
                times[2].median / times[1].median);
  }
  std::printf("\n");
  std::fflush(stdout);
}

}  // namespace
}  // namespace crocuta::bench

int main() {
  using namespace crocuta::bench;
  std::printf(
      "transforms, %s; medians of 9 interleaved rounds, one thread: microseconds, 5 n log2 n "
      "operations in GFLOP/s; FFTW's time over ours, forward and inverse\n\n"
      "               n |           forward |           inverse |              FFTW |\n",
      machine().c_str());
  for (const std::int64_t n : {64, 256, 512, 1024, 1280, 1536, 1920, 2048, 3072, 4096, 8192, 16384,
                               65536, 262144, 1048576}) {
    measure<float>(n);
  }
  for (const std::int64_t n : {256, 1024, 4096, 16384, 65536, 1048576}) measure<double>(n);
}
