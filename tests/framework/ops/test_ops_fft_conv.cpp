#include <algorithm>
#include <cmath>

#include "framework/ops/ops.h"
#include "tests/support/catch.h"
#include "tests/support/check_op.h"

using namespace crocuta;
using namespace crocuta::test;

namespace {

Tensor stream(const Tensor& u, int64_t p) {
  return select(reshape(u, {u.size(0), u.size(1) / 3, 3, u.size(2)}), 2, p);
}

}  // namespace

TEST_CASE("the gated convolution equals the ops it fuses") {
  const Tensor u = sample({2, 9, 50}), k = sample({3, 50}), skip = sample({3});
  const std::vector<double> fused = hyena_conv(u, k, skip).to_vector<double>();
  const std::vector<double> separate =
      (stream(u, 0) * fft_conv(stream(u, 1) * stream(u, 2), k, skip)).to_vector<double>();
  for (std::size_t i = 0; i < fused.size(); ++i) {
    CHECK(fused[i] == Approx(separate[i]).margin(1e-12));
  }
}

TEST_CASE("a first tap of one is the identity, and later taps only delay") {
  const int64_t L = 37;
  const Tensor z = sample({1, 1, L});
  for (const int64_t lag : {0, 1, 36}) {
    std::vector<double> taps(static_cast<std::size_t>(L), 0.0);
    taps[static_cast<std::size_t>(lag)] = 1;
    const std::vector<double> y = fft_conv(z, from_vector(taps, {1, L})).to_vector<double>();
    const std::vector<double> x = z.to_vector<double>();
    for (int64_t t = 0; t < L; ++t) {
      const double expected = t < lag ? 0 : x[static_cast<std::size_t>(t - lag)];
      CHECK(y[static_cast<std::size_t>(t)] == Approx(expected).margin(1e-14));
    }
  }
}

TEST_CASE("a 16-bit signal takes its kernel in float32 too") {
  const Tensor z = sample({2, 3, 20}).to(DType::bfloat16);
  const Tensor k = sample({3, 20}).to(DType::float32), skip = sample({3}).to(DType::float32);
  k.set_requires_grad();
  skip.set_requires_grad();
  const Tensor y = fft_conv(z, k, skip);
  CHECK(y.dtype() == DType::bfloat16);
  y.backward(ones({2, 3, 20}, {.dtype = DType::bfloat16}));
  CHECK(k.grad().dtype() == DType::float32);
  CHECK(skip.grad().dtype() == DType::float32);
  const std::vector<double> actual = y.to_vector<double>();
  const std::vector<double> exact =
      fft_conv(z.to(DType::float64), k.to(DType::float64), skip.to(DType::float64))
          .to_vector<double>();
  for (std::size_t i = 0; i < actual.size(); ++i) {
    CHECK(std::abs(actual[i] - exact[i]) <= 0x1p-8 * std::abs(exact[i]) + 1e-4);
  }
}
