#include <algorithm>
#include <cmath>

#include "framework/ops.h"
#include "tests/check_op.h"
#include "tests/support/catch.h"

using namespace crocuta;
using namespace crocuta::test;
using std::int64_t;

namespace {

Tensor direct(const Tensor& z, const Tensor& k, const Tensor& skip) {
  const int64_t B = z.size(0), C = z.size(1), L = z.size(2);
  const std::vector<double> vz = z.to_vector<double>(), vk = k.to_vector<double>();
  const std::vector<double> d = skip.defined()
                                    ? skip.to_vector<double>()
                                    : std::vector<double>(static_cast<std::size_t>(C), 0.0);
  std::vector<double> y;
  for (int64_t row = 0; row < B * C; ++row) {
    for (int64_t t = 0; t < L; ++t) {
      const double* x = vz.data() + row * L;
      double sum = d[static_cast<std::size_t>(row % C)] * x[t];
      for (int64_t j = 0; j <= t; ++j)
        sum += vk[static_cast<std::size_t>(row % C * L + j)] * x[t - j];
      y.push_back(sum);
    }
  }
  return from_vector(y, {B, C, L});
}

Tensor stream(const Tensor& u, int64_t p) {
  return select(reshape(u, {u.size(0), u.size(1) / 3, 3, u.size(2)}), 2, p);
}

Tensor undefined_or(const std::vector<Tensor>& x, std::size_t i) {
  return i < x.size() ? x[i] : Tensor();
}

void check(bool gated, int64_t B, int64_t C, int64_t L, bool skip) {
  std::vector<Tensor> inputs = {sample({B, gated ? 3 * C : C, L}, -1, 1, 1),
                                sample({C, L}, -1, 1, 2)};
  if (skip) inputs.push_back(sample({C}, -1, 1, 3));
  // An FFT's error is relative to a row's norm, here below sqrt(L) for each factor.
  const double size = static_cast<double>(L) + 1;
  check_op(
      {.name = str(gated ? "hyena_conv" : "fft_conv", " B ", B, " C ", C, " L ", L, " skip ", skip),
       .fn =
           [gated](const std::vector<Tensor>& x) {
             return (gated ? hyena_conv : fft_conv)(x[0], x[1], undefined_or(x, 2));
           },
       .oracle =
           [gated](const std::vector<Tensor>& x) {
             if (!gated) return direct(x[0], x[1], undefined_or(x, 2));
             const Tensor z = stream(x[0], 1) * stream(x[0], 2);
             return stream(x[0], 0) * direct(z, x[1], undefined_or(x, 2));
           },
       .inputs = inputs,
       .rounding = 8,
       .scale = size,
       .gradient_scale = size * static_cast<double>(B),
       .gradient = {.same_bits = true}});
}
}  // namespace

TEST_CASE("the long convolution equals the direct causal one, gated and not") {
  for (const bool gated : {false, true}) {
    for (const int64_t L : {1, 2, 3, 5, 8, 13, 16, 17, 31}) check(gated, 2, 3, L, true);
    check(gated, 3, 2, 10, false);
    check(gated, 1, 1, 127, true);
  }
}

TEST_CASE("long convolutions of sizes of zero") {
  for (const bool gated : {false, true}) {
    check(gated, 0, 3, 5, true);
    check(gated, 2, 0, 5, true);
    check(gated, 2, 3, 0, true);
  }
}

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
      direct(z.to(DType::float64), k.to(DType::float64), skip.to(DType::float64))
          .to_vector<double>();
  for (std::size_t i = 0; i < actual.size(); ++i) {
    CHECK(std::abs(actual[i] - exact[i]) <= 0x1p-8 * std::abs(exact[i]) + 1e-4);
  }
}

TEST_CASE("long convolutions say what does not fit") {
  const Tensor z = zeros({2, 3, 8}), k = zeros({3, 8});
  CHECK(message_of<ShapeError>([&] {
          fft_conv(zeros({3, 8}), k);
        }) == "fft_conv: 'z': expected [B, C, L], got [3, 8]");
  CHECK(message_of<ShapeError>([&] {
          fft_conv(z, zeros({3, 7}));
        }) == "fft_conv: 'k': expected [C, L] = [3, 8] for z [2, 3, 8], got [3, 7]");
  CHECK(message_of<ShapeError>([&] { fft_conv(z, k, zeros({2})); }) ==
        "fft_conv: 'skip': expected [3], got [2]");
  CHECK(message_of<ShapeError>([&] {
          hyena_conv(zeros({2, 4, 8}), k);
        }) == "hyena_conv: 'u': expected [B, 3C, L], got [2, 4, 8]");
  CHECK(message_of<ShapeError>([&] {
          hyena_conv(zeros({2, 3, 8}), k);
        }) == "hyena_conv: 'k': expected [C, L] = [1, 8] for u [2, 3, 8], got [3, 8]");
  CHECK(message_of<DTypeError>([&] {
          fft_conv(z, sample({3, 8}));
        }) == "fft_conv: 'k': expected float32, got float64");
  CHECK(message_of<DTypeError>([&] { fft_conv(z.to(DType::float16), k.to(DType::bfloat16)); }) ==
        "fft_conv: 'k': expected float16, got bfloat16");
}
