#include "tests/layers/conv_truth.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

namespace crocuta::test {
namespace {

// What one channel of one sample adds. The row of x stands in a field of zeros, so that every tap
// meets something everywhere: sums of zeros change neither values nor magnitudes.
template <class Exact>
class Row {
 public:
  explicit Row(const ConvSizes& sizes)
      : L(static_cast<std::size_t>(sizes.length)),
        K(static_cast<std::size_t>(sizes.taps)),
        left_(sizes.causal ? K - 1 : (K - 1) / 2),
        x_(L + K - 1),
        dx_(L + K - 1),
        dx_magnitude_(L + K - 1),
        dy_(L),
        y_(L),
        y_magnitude_(L) {}

  void load(const double* x, const double* dy) {
    std::copy_n(x, L, x_.begin() + static_cast<std::ptrdiff_t>(left_));
    std::copy_n(dy, L, dy_.begin());
    for (auto* sums : {&dx_, &dx_magnitude_, &y_, &y_magnitude_}) {
      std::fill(sums->begin(), sums->end(), Exact(0));
    }
  }

  // y[t] += w x[t + k - left], its transpose, and sum_t dy[t] x[t + k - left].
  void tap(std::size_t k, Exact w, long double& dw, long double& dw_magnitude) {
    const Exact* x = x_.data() + k;
    for (std::size_t t = 0; t < L; ++t) {
      y_[t] += w * x[t];
      y_magnitude_[t] += std::fabs(w * x[t]);
    }
    Exact* dx = dx_.data() + k;
    Exact* dx_magnitude = dx_magnitude_.data() + k;
    for (std::size_t t = 0; t < L; ++t) {
      dx[t] += w * dy_[t];
      dx_magnitude[t] += std::fabs(w * dy_[t]);
    }
    constexpr std::size_t W = 8;  // independent sums, which the compiler makes vectors of
    Exact sums[W] = {}, magnitudes[W] = {};
    std::size_t t = 0;
    for (; t + W <= L; t += W) {
      for (std::size_t i = 0; i < W; ++i) sums[i] += dy_[t + i] * x[t + i];
      for (std::size_t i = 0; i < W; ++i) magnitudes[i] += std::fabs(dy_[t + i] * x[t + i]);
    }
    for (; t < L; ++t) {
      sums[0] += dy_[t] * x[t];
      magnitudes[0] += std::fabs(dy_[t] * x[t]);
    }
    for (std::size_t i = 0; i < W; ++i) {
      dw += sums[i];
      dw_magnitude += magnitudes[i];
    }
  }

  void store(std::size_t row, ConvTruth& out) const {
    for (std::size_t t = 0; t < L; ++t) {
      out.y.value[row * L + t] = y_[t];
      out.y.magnitude[row * L + t] = y_magnitude_[t];
      out.dx.value[row * L + t] = dx_[left_ + t];
      out.dx.magnitude[row * L + t] = dx_magnitude_[left_ + t];
    }
  }

 private:
  const std::size_t L, K, left_;
  std::vector<Exact> x_, dx_, dx_magnitude_, dy_, y_, y_magnitude_;
};

template <class Exact>
ConvTruth compute(const ConvSizes& s, const std::vector<double>& x,
                  const std::vector<double>& weight, const std::vector<double>& bias,
                  const std::vector<double>& dy) {
  const std::int64_t elements = s.batch * s.channels * s.length;
  ConvTruth out{Sums(elements), Sums(elements), Sums(s.groups * s.taps), Sums(s.groups)};
  if (elements == 0) return out;
  const auto L = static_cast<std::size_t>(s.length), K = static_cast<std::size_t>(s.taps);
  Row<Exact> row(s);
  for (std::size_t r = 0; r < x.size() / L; ++r) {
    const std::int64_t channel = static_cast<std::int64_t>(r) % s.channels;
    const auto g = static_cast<std::size_t>(channel / (s.channels / s.groups));
    row.load(x.data() + r * L, dy.data() + r * L);
    for (std::size_t k = 0; k < K; ++k) {
      const std::size_t i = g * K + k;
      row.tap(k, static_cast<Exact>(weight[i]), out.dweight.value[i], out.dweight.magnitude[i]);
    }
    row.store(r, out);
    for (std::size_t t = 0; t < L; ++t) {
      out.dbias.value[g] += dy[r * L + t];
      out.dbias.magnitude[g] += std::fabs(dy[r * L + t]);
      if (bias.empty()) continue;
      out.y.value[r * L + t] += bias[g];
      out.y.magnitude[r * L + t] += std::fabs(bias[g]);
    }
  }
  return out;
}

}  // namespace

ConvTruth conv_truth(const ConvSizes& sizes, const std::vector<double>& x,
                     const std::vector<double>& weight, const std::vector<double>& bias,
                     const std::vector<double>& dy, bool wide) {
  return wide ? compute<long double>(sizes, x, weight, bias, dy)
              : compute<double>(sizes, x, weight, bias, dy);
}

Format format_of(DType dtype) {
  switch (dtype) {
    case DType::float64:
      return {53, -1074, std::numeric_limits<double>::max()};
    case DType::float32:
      return {24, -149, std::numeric_limits<float>::max()};
    case DType::bfloat16:
      return {8, -133, std::ldexp(255.0, 120)};
    case DType::float16:
      return {11, -24, 65504};
    default:
      throw std::invalid_argument("not a float");
  }
}

double round_to(Format format, long double value) {
  int exponent = 0;
  std::frexp(value, &exponent);
  const int last = std::max(exponent - format.digits, format.least);  // the last digit's place
  const long double rounded = std::ldexp(std::nearbyint(std::ldexp(value, -last)), last);
  if (std::fabs(rounded) <= format.largest) return static_cast<double>(rounded);
  return std::copysign(std::numeric_limits<double>::infinity(), static_cast<double>(value));
}

}  // namespace crocuta::test
