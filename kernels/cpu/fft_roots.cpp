#include "kernels/cpu/fft_roots.h"

namespace crocuta::kernels {
namespace {

using Wide = RootsOfUnity::Wide;
using WideRoot = RootsOfUnity::WideRoot;

// Exact: a + b, for |a| >= |b| and for any two.
Wide sum_of_ordered(double a, double b) {
  const double s = a + b;
  return {s, b - (s - a)};
}
Wide exact_sum(double a, double b) {
  const double s = a + b, of_b = s - a;
  return {s, (a - (s - of_b)) + (b - of_b)};
}

// Exact: a * b, by halves of 26 bits (Dekker, 1971), since not every machine has a fused
// multiply-add.
Wide exact_product(double a, double b) {
  const auto upper_half = [](double x) {
    const double t = 0x8000001p0 * x;
    return t - (t - x);
  };
  const double a1 = upper_half(a), a2 = a - a1, b1 = upper_half(b), b2 = b - b1, p = a * b;
  return {p, a2 * b2 - (((p - a1 * b1) - a2 * b1) - a1 * b2)};
}

Wide operator+(Wide a, Wide b) {
  const Wide high = exact_sum(a.high, b.high), low = exact_sum(a.low, b.low);
  const Wide first = sum_of_ordered(high.high, high.low + low.high);
  return sum_of_ordered(first.high, first.low + low.low);
}
Wide operator-(Wide a) {
  return {-a.high, -a.low};
}
Wide operator*(Wide a, Wide b) {
  const Wide p = exact_product(a.high, b.high);
  return sum_of_ordered(p.high, p.low + (a.high * b.low + a.low * b.high));
}
Wide operator/(Wide a, double b) {
  const double q = a.high / b;
  const Wide p = exact_product(q, b);
  return sum_of_ordered(q, ((a.high - p.high) - p.low + a.low) / b);
}

WideRoot operator*(const WideRoot& a, const WideRoot& b) {
  return {a.re * b.re + -(a.im * b.im), a.re * b.im + a.im * b.re};
}

// 1 - x2 / (k (k+1)) (1 - x2 / ((k+2) (k+3)) (1 - ...)): the cosine of x for k = 1, the sine over x
// for k = 2, where x2 = x^2. Fourteen terms leave less than 2^-106 for x up to pi / 4.
Wide alternating_series(Wide x2, int k) {
  const Wide one = {1, 0};
  Wide sum = one;
  for (int i = k + 26; i >= k; i -= 2) {
    sum = one + -(x2 * sum / static_cast<double>(i * (i + 1)));
  }
  return sum;
}

// exp(2 pi i t / order), 0 <= t < order, from an angle of at most an eighth turn.
WideRoot root(std::int64_t t, std::int64_t order) {
  const bool below_axis = 2 * t > order;
  if (below_axis) t = order - t;
  const bool left = 4 * t > order;
  if (left) t = order / 2 - t;
  const bool steep = 8 * t > order;
  if (steep) t = order / 4 - t;
  const Wide two_pi = {0x1.921fb54442d18p2, 0x1.1a62633145c07p-52};
  const Wide x = two_pi * (Wide{static_cast<double>(t), 0} / static_cast<double>(order));
  Wide c = alternating_series(x * x, 1), s = x * alternating_series(x * x, 2);
  if (steep) {
    const Wide cosine = s;
    s = c;
    c = cosine;
  }
  return {left ? -c : c, below_axis ? -s : s};
}

}  // namespace

RootsOfUnity::RootsOfUnity(std::int64_t order) : order_(order), step_(1) {
  while (step_ * step_ < order) step_ *= 2;
  for (std::int64_t t = 0; t < step_; ++t) fine_.push_back(root(t % order, order));
  for (std::int64_t t = 0; t < order; t += step_) coarse_.push_back(root(t, order));
}

RootsOfUnity::Root RootsOfUnity::operator()(std::int64_t t) const {
  t %= order_;
  const WideRoot product =
      coarse_[static_cast<std::size_t>(t / step_)] * fine_[static_cast<std::size_t>(t % step_)];
  return {product.re.high, product.im.high};
}

}  // namespace crocuta::kernels
