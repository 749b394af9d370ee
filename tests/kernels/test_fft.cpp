// The CPU's transform: its values, its accuracy, and that its bits are the same in any lanes.
#include <algorithm>
#include <cmath>
#include <complex>
#include <cstdint>
#include <cstring>
#include <limits>
#include <numbers>
#include <random>
#include <vector>

#include "kernels/cpu/fft_passes.h"
#include "kernels/cpu/fft_plan.h"
#include "kernels/cpu/fft_roots.h"
#include "tests/support/catch.h"

using namespace crocuta::kernels;
using std::int64_t;

namespace {

using Exact = std::complex<long double>;

template <class R>
constexpr double unit_roundoff() {
  return std::is_same_v<R, float> ? 0x1p-24 : 0x1p-53;
}

// Numbers aligned to 64 bytes, all NaN to begin with, and a few behind them that must stay so.
template <class R>
class Array {
 public:
  explicit Array(int64_t size) : size_(size), blocks_(static_cast<std::size_t>(size / 8 + 10)) {
    std::fill(data(), data() + size + kBehind, std::numeric_limits<R>::quiet_NaN());
  }
  R* data() { return blocks_.front().numbers; }
  const R* data() const { return blocks_.front().numbers; }
  bool nothing_behind() const {
    return std::all_of(data() + size_, data() + size_ + kBehind, [](R x) { return std::isnan(x); });
  }
  bool same_bits(const Array& other) const {
    return size_ == other.size_ &&
           std::memcmp(data(), other.data(), static_cast<std::size_t>(size_) * sizeof(R)) == 0;
  }
  // Makes zeros of what fills up a spectrum of n numbers, which may be anything.
  void clear_filling(int64_t n) {
    for (int64_t at = 0; at < size_; ++at) {
      if (at / 512 * 16 + at % 16 >= n / 16) data()[at] = 0;
    }
  }

 private:
  static constexpr int64_t kBehind = 64;
  struct alignas(64) Block {
    R numbers[64 / sizeof(R)];
  };
  int64_t size_;
  std::vector<Block> blocks_;
};

template <class R>
Array<R> random_row(int64_t n) {
  std::mt19937 generator(static_cast<std::uint32_t>(n));
  Array<R> x(n);
  for (int64_t j = 0; j < n; ++j) {
    x.data()[j] = static_cast<R>(static_cast<int>(generator() >> 8) - (1 << 23)) * R(0x1p-23);
  }
  return x;
}

// exp(2 pi i t / order) by the C library, as a product of two of about sqrt(order) each.
class ExactRoots {
 public:
  explicit ExactRoots(int64_t order) : order_(order) {
    while (step_ * step_ < order) step_ *= 2;
    for (int64_t t = 0; t < step_; ++t) fine_.push_back(root(t));
    for (int64_t t = 0; t < order; t += step_) coarse_.push_back(root(t));
  }
  Exact operator()(int64_t t) const {
    t %= order_;
    const Exact &a = coarse_[static_cast<std::size_t>(t / step_)],
                &b = fine_[static_cast<std::size_t>(t % step_)];
    return {a.real() * b.real() - a.imag() * b.imag(), a.real() * b.imag() + a.imag() * b.real()};
  }

 private:
  Exact root(int64_t t) const {
    const long double angle = 2 * std::numbers::pi_v<long double> * static_cast<long double>(t) /
                              static_cast<long double>(order_);
    return {std::cos(angle), std::sin(angle)};
  }
  int64_t order_, step_ = 1;
  std::vector<Exact> fine_, coarse_;
};

// The sum that defines the value of number f.
template <class R>
Exact direct(const R* x, int64_t n, int64_t f, const ExactRoots& roots) {
  Exact sum;
  for (int64_t j = 0; j < n; ++j) {
    const Exact root = roots(j * (4 * f + 1));
    sum += Exact(root.real() * static_cast<long double>(x[j]),
                 root.imag() * static_cast<long double>(x[j]));
  }
  return sum;
}

// The error of a transform's numbers, all or `samples` of them, in the 2-norm and relative to it, in
// units of u sqrt(log2 n): that is how roundings that do not know of each other add up, and how
// FFTW's documentation says that its errors grow.
template <class R>
double relative_error(int64_t n, int64_t samples) {
  const RightAngleFft<R> fft(n);
  const Array<R> x = random_row<R>(n);
  Array<R> spectrum(fft.spectrum_size());
  fft.forward(x.data(), spectrum.data());
  const ExactRoots roots(4 * n);
  std::mt19937_64 generator(1);
  long double error = 0, norm = 0;
  for (int64_t i = 0; i < samples; ++i) {
    // Number k of row `row` of all.
    const int64_t at = samples == n ? i : static_cast<int64_t>(generator() >> 1) % n;
    const int64_t row = at / 16, k = at % 16, group = row / 16;
    const Exact expected = direct(x.data(), n, fft.plan().frequency(group, k, row % 16), roots);
    const R* const actual = spectrum.data() + group * 512 + k * 32 + row % 16;
    error += std::norm(Exact(actual[0], actual[16]) - expected);
    norm += std::norm(expected);
  }
  const double levels = std::log2(static_cast<double>(n));
  return static_cast<double>(std::sqrt(error / norm)) / (unit_roundoff<R>() * std::sqrt(levels));
}

// All sizes of transforms up to `most`.
std::vector<int64_t> sizes(int64_t most) {
  std::vector<int64_t> found;
  for (int64_t n = 16; n <= most; n = right_angle_fft_size(n + 1)) found.push_back(n);
  return found;
}

// Not a bound that is proved (that grows with log2 n itself: Higham, Accuracy and Stability of
// Numerical Algorithms, theorem 24.2), but the growth of FFTW's errors with a factor of 1: radix 3
// at n = 48 was seen to need 0.84, most lengths 0.5 to 0.7. Inputs are fixed, and so are bits where
// there are fused multiply-adds.
constexpr double kErrorBound = 1;

template <class R>
void check_values() {
  for (const int64_t n : sizes(640)) {
    CAPTURE(n);
    CHECK(relative_error<R>(n, n) < kErrorBound);
  }
  for (const int64_t n : {1024, 1152, 1920, 2560, 4096, 9216, 61440, 65536}) {
    CAPTURE(n);
    CHECK(relative_error<R>(n, 128) < kErrorBound);
  }
  CHECK(relative_error<R>(1 << 20, 32) < kErrorBound);
}

template <class R>
void check_there_and_back() {
  for (const int64_t n : {16, 48, 80, 320, 1024, 1152, 1920, 4096, 20480, 65536}) {
    CAPTURE(n);
    const RightAngleFft<R> fft(n);
    const Array<R> x = random_row<R>(n);
    Array<R> spectrum(fft.spectrum_size()), y(n);
    fft.forward(x.data(), spectrum.data());
    fft.inverse(spectrum.data(), y.data());
    CHECK(spectrum.nothing_behind());
    CHECK(y.nothing_behind());
    long double error = 0, norm = 0;
    for (int64_t j = 0; j < n; ++j) {
      const long double expected = static_cast<long double>(x.data()[j]);
      const long double difference = static_cast<long double>(y.data()[j]) / n - expected;
      error += difference * difference;
      norm += expected * expected;
    }
    const double levels = std::log2(static_cast<double>(n));
    CHECK(static_cast<double>(std::sqrt(error / norm)) <
          2 * kErrorBound * unit_roundoff<R>() * std::sqrt(levels));
  }
}

// The library's transforms against the same passes on plain numbers.
template <class R>
void check_bits() {
  std::vector<int64_t> lengths = sizes(2304);
  lengths.insert(lengths.end(), {4096, 6144, 10240, 15360, 65536, 147456});
  for (const int64_t n : lengths) {
    CAPTURE(n);
    const RightAngleFft<R> fft(n);
    const fft::Passes<R, R> plain(fft.plan());
    const Array<R> x = random_row<R>(n);
    Array<R> spectrum(fft.spectrum_size()), plain_spectrum(fft.spectrum_size());
    fft.forward(x.data(), spectrum.data());
    plain.run(x.data(), plain_spectrum.data(), plain_spectrum.data(), nullptr,
              [](int64_t, int64_t) {});
    spectrum.clear_filling(n);
    plain_spectrum.clear_filling(n);
    CHECK(spectrum.same_bits(plain_spectrum));
    Array<R> y(n), plain_y(n);
    fft.inverse(spectrum.data(), y.data());
    plain.run(nullptr, plain_spectrum.data(), plain_spectrum.data(), plain_y.data(),
              [](int64_t, int64_t) {});
    CHECK(y.same_bits(plain_y));
  }
}

// FNV-1a of the bits of all spectra up to some length.
template <class R>
std::uint64_t hash_of_spectra() {
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (const int64_t n : sizes(4096)) {
    const RightAngleFft<R> fft(n);
    const Array<R> x = random_row<R>(n);
    Array<R> spectrum(fft.spectrum_size());
    fft.forward(x.data(), spectrum.data());
    spectrum.clear_filling(n);
    for (int64_t i = 0; i < fft.spectrum_size(); ++i) {
      std::conditional_t<sizeof(R) == 4, std::uint32_t, std::uint64_t> bits;
      std::memcpy(&bits, spectrum.data() + i, sizeof bits);
      hash = (hash ^ bits) * 0x100000001b3u;
    }
  }
  return hash;
}

}  // namespace

TEST_CASE("roots of unity are correctly rounded") {
  for (const int64_t order : {64, 320, 4 * 1152, 1 << 16, 1 << 22}) {
    CAPTURE(order);
    const RootsOfUnity roots(order);
    const ExactRoots exact(order);
    double worst = 0;
    const auto compare = [&](double actual, long double expected) {
      const double unit = std::ldexp(1.0, std::max(std::ilogb(actual), -60) - 52);
      const auto error = static_cast<double>(std::abs(static_cast<long double>(actual) - expected));
      // What is expected comes from an angle of 64 bits, below 8, and a product.
      worst = std::max(worst, error / (unit / 2 + 0x1p-61));
    };
    for (int64_t t = 0; t < order; t += order <= 1 << 16 ? 1 : 997) {
      compare(roots(t).re, exact(t).real());
      compare(roots(t).im, exact(t).imag());
    }
    CHECK(worst <= 1);
    CHECK(roots(order + 1).im == roots(1).im);
    CHECK((roots(order / 2).re == -1 && roots(order / 4).im == 1 && roots(0).re == 1));
    CHECK(roots(order / 8).re == roots(order / 8).im);
  }
}

TEST_CASE("a transform has the values that define it") {
  SECTION("float32") {
    check_values<float>();
  }
  SECTION("float64") {
    check_values<double>();
  }
}

TEST_CASE("an inverse transform leads back, and nothing is written behind the arrays") {
  check_there_and_back<float>();
  check_there_and_back<double>();
}

TEST_CASE("vectors and plain numbers give the same bits") {
  check_bits<float>();
  check_bits<double>();
}

#if defined(__FMA__) || defined(__ARM_FEATURE_FMA)
TEST_CASE("spectra have the bits of every other machine with fused multiply-adds") {
  CHECK(hash_of_spectra<float>() == 0x93f145c793ac4fbu);
  CHECK(hash_of_spectra<double>() == 0xfea08c66f264d429u);
}
#endif

TEST_CASE("every frequency is somewhere in the spectrum") {
  for (const int64_t n : sizes(4096)) {
    CAPTURE(n);
    const FftPlan<float> plan(n);
    std::vector<bool> seen(static_cast<std::size_t>(n));
    for (int64_t row = 0; row < n / 16; ++row) {
      for (int64_t k = 0; k < 16; ++k) {
        seen[static_cast<std::size_t>(plan.frequency(row / 16, k, row % 16))] = true;
      }
    }
    CHECK(std::find(seen.begin(), seen.end(), false) == seen.end());
    CHECK(plan.spectrum_size() == right_angle_spectrum_size(n));
  }
}

TEST_CASE("transforms are no shorter than the length, and above 128 at most 1.25 times as long") {
  CHECK(right_angle_fft_size(1) == 16);
  CHECK(right_angle_fft_size(16) == 16);
  CHECK(right_angle_fft_size(17) == 32);
  CHECK(right_angle_fft_size(1024) == 1024);
  CHECK(right_angle_fft_size(1025) == 1152);
  CHECK(right_angle_fft_size(3000) == 3072);
  for (int64_t length = 1; length < 5000; ++length) {
    const int64_t n = right_angle_fft_size(length);
    REQUIRE(n >= length);
    REQUIRE((n % 16 == 0 && right_angle_fft_size(n) == n));
    if (length > 128) REQUIRE(4 * n <= 5 * length);
  }
}

TEST_CASE("a product made piece by piece is the one made in whole") {
  for (const int64_t n : {16, 640, 2304, 10240}) {
    CAPTURE(n);
    const RightAngleFft<float> fft(n);
    const Array<float> x = random_row<float>(n);
    const int64_t size = fft.spectrum_size();
    Array<float> spectrum(size), product(size), y(n), whole(size), expected(n);
    std::vector<int> times(static_cast<std::size_t>(size));
    fft.through(x.data(), spectrum.data(), product.data(), y.data(),
                [&](int64_t begin, int64_t end) {
                  for (int64_t at = begin; at < end; ++at) {
                    product.data()[at] = 2 * spectrum.data()[at];
                    ++times[static_cast<std::size_t>(at)];
                  }
                });
    CHECK(times == std::vector<int>(static_cast<std::size_t>(size), 1));
    fft.forward(x.data(), whole.data());
    whole.clear_filling(n);
    spectrum.clear_filling(n);
    CHECK(whole.same_bits(spectrum));
    for (int64_t at = 0; at < size; ++at) whole.data()[at] *= 2;
    fft.inverse(whole.data(), expected.data());
    CHECK(expected.same_bits(y));
  }
}
