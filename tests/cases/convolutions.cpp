#include <algorithm>

#include "framework/ops/ops.h"
#include "tests/cases/declared.h"

namespace crocuta::test {

using std::int64_t;

Tensor depthwise_oracle(const Tensors& in, const DepthwiseConv1dOptions& options) {
  const auto x = in[0].to_vector<double>(), weight = in[1].to_vector<double>();
  const auto bias = in.size() > 2 ? in[2].to_vector<double>() : std::vector<double>();
  const int64_t B = in[0].size(0), C = in[0].size(1), L = in[0].size(2);
  const int64_t G = in[1].size(0), K = in[1].size(1);
  const int64_t group_dim = options.hidden_dim.value_or(C) / G;
  const int64_t left = options.causal ? K - 1 : (K - 1) / 2;
  std::vector<double> y;
  for (int64_t row = 0; row < B * C; ++row) {
    const int64_t g = (options.channel_offset + row % C) / group_dim;
    for (int64_t t = 0; t < L; ++t) {
      long double sum = bias.empty() ? 0 : bias[index(g)];
      for (int64_t k = 0; k < K; ++k) {
        const int64_t s = t + k - left;
        if (s >= 0 && s < L) sum += weight[index(g * K + k)] * x[index(row * L + s)];
      }
      y.push_back(static_cast<double>(sum));
    }
  }
  return from_vector(y, in[0].shape());
}

namespace {

struct Sizes {
  int64_t B, C, L, K, G;
  DepthwiseConv1dOptions options;
};

OpCheck depthwise_of(const Sizes& s, bool bias) {
  OpCheck op;
  op.name = str("depthwise_conv1d B ", s.B, " C ", s.C, " L ", s.L, " K ", s.K, " G ", s.G);
  op.fn = [options = s.options](const Tensors& in) {
    return depthwise_conv1d(in[0], in[1], input_or_none(in, 2), options);
  };
  op.oracle = [options = s.options](const Tensors& in) { return depthwise_oracle(in, options); };
  op.inputs = {sample({s.B, s.C, s.L}, -1, 1, 1), sample({s.G, s.K}, -1, 1, 2)};
  if (bias) op.inputs.push_back(sample({s.G}, -1, 1, 3));
  // Up to K products of at most 1 cancel in a result, and B L of them in a gradient.
  op.scale = static_cast<double>(s.K + 1);
  op.gradient_scale = static_cast<double>(s.K + s.B * s.L * s.C / s.G);
  return op;
}

Declared declared_depthwise_conv1d() {
  Declared d{.name = "depthwise_conv1d", .arguments = {"x", "weight", "bias"}, .optional = 1};
  const DepthwiseConv1dOptions causal{.causal = true}, same;
  for (const bool bias : {true, false}) {
    for (const Sizes& sizes : std::vector<Sizes>{{2, 4, 19, 3, 4, causal},
                                                 {1, 6, 40, 4, 2, same},
                                                 {2, 2, 9, 11, 1, causal},
                                                 {1, 3, 5, 8, 3, same},
                                                 {2, 3, 70, 31, 1, same},
                                                 {1, 1, 1, 1, 1, same},
                                                 {0, 4, 7, 3, 2, same},
                                                 {3, 4, 0, 3, 2, causal}}) {
      d.samples.push_back(depthwise_of(sizes, bias));
    }
  }
  // Channels 3 to 7 of 12 in groups of 3: all of group 1 and two of the three of group 2.
  d.samples.push_back(
      depthwise_of({2, 5, 17, 4, 4, {.hidden_dim = 12, .channel_offset = 3}}, true));
  d.sized = [=](int64_t n) { return depthwise_of({2, 8, n / 16 + 1, 7, 4, causal}, true); };
  for (const double factor : {0x1p100, 0x1p-100, 0x1p1000}) {
    d.extremes.push_back(enlarged(depthwise_of({2, 4, 37, 7, 2, causal}, true), factor, true));
  }

  const auto misfit = [](const char* message, const Shape& x, const Shape& weight,
                         const Shape& bias) {
    return refusal<ShapeError>(message,
                               [=] { depthwise_conv1d(zeros(x), zeros(weight), zeros(bias)); });
  };
  const Shape x = {2, 6, 5};
  d.refusals = {
      misfit("depthwise_conv1d: 'x': expected [B, C, L], got [6, 5]", {6, 5}, {3, 4}, {3}),
      misfit("depthwise_conv1d: 'weight': expected [G, K] with G, K >= 1, got [4]", x, {4}, {4}),
      misfit("depthwise_conv1d: 'weight': expected [G, K] with G, K >= 1, got [3, 0]", x, {3, 0},
             {3}),
      misfit("depthwise_conv1d: 'bias': expected [3], got [4]", x, {3, 4}, {4}),
      refusal<ArgumentError>(
          "depthwise_conv1d: 'hidden_dim': expected a multiple of the 4 groups, got 6", [] {
            depthwise_conv1d(zeros({2, 6, 5}), zeros({4, 4}));
          })};
  for (const int64_t offset : {-1, 7}) {
    d.refusals.push_back(refusal<ArgumentError>(
        str("depthwise_conv1d: 'channel_offset': expected x's 6 channels to lie within hidden_dim "
            "12, got ",
            offset),
        [=] {
          depthwise_conv1d(zeros({2, 6, 5}), zeros({3, 4}), {},
                           {.hidden_dim = 12, .channel_offset = offset});
        }));
  }
  return d;
}

// z [B, C, L] with every channel convolved directly.
std::vector<double> convolved(const std::vector<double>& z, const Tensors& x, int64_t rows) {
  const int64_t C = x[1].size(0), L = x[1].size(1);
  const std::vector<double> k = x[1].to_vector<double>();
  const std::vector<double> skip =
      x.size() > 2 ? x[2].to_vector<double>() : std::vector<double>(index(C), 0.0);
  std::vector<double> y;
  for (int64_t row = 0; row < rows; ++row) {
    const double* taps = k.data() + row % C * L;
    const double* signal = z.data() + row * L;
    for (int64_t t = 0; t < L; ++t) {
      long double sum = skip[index(row % C)] * signal[t];
      for (int64_t j = 0; j <= t; ++j) sum += taps[j] * signal[t - j];
      y.push_back(static_cast<double>(sum));
    }
  }
  return y;
}

Tensor direct(bool gated, const Tensors& x) {
  const int64_t B = x[0].size(0), C = x[1].size(0), L = x[1].size(1);
  const std::vector<double> u = x[0].to_vector<double>();
  if (!gated) return from_vector(convolved(u, x, B * C), {B, C, L});
  // Element i of stream p: channel 3c + p holds stream p of channel c.
  const auto stream = [&](int64_t p, std::size_t i) {
    const auto l = index(L);
    return u[(i / l * 3 + index(p)) * l + i % l];
  };
  std::vector<double> z(index(B * C * L));
  for (std::size_t i = 0; i < z.size(); ++i) z[i] = stream(1, i) * stream(2, i);
  std::vector<double> y = convolved(z, x, B * C);
  for (std::size_t i = 0; i < y.size(); ++i) y[i] *= stream(0, i);
  return from_vector(y, {B, C, L});
}

Declared long_convolution(bool gated) {
  const char* const name = gated ? "hyena_conv" : "fft_conv";
  const auto op = gated ? hyena_conv : fft_conv;
  const auto of = [=](int64_t B, int64_t C, int64_t L, bool skip) {
    Tensors inputs = {sample({B, gated ? 3 * C : C, L}, -1, 1, 1), sample({C, L}, -1, 1, 2)};
    if (skip) inputs.push_back(sample({C}, -1, 1, 3));
    // An FFT's error is relative to a row's norm, here below sqrt(L) for each factor.
    const double size = static_cast<double>(L) + 1;
    return OpCheck{.name = str(name, " B ", B, " C ", C, " L ", L, " skip ", skip),
                   .fn = [op](const Tensors& x) { return op(x[0], x[1], input_or_none(x, 2)); },
                   .oracle = [gated](const Tensors& x) { return direct(gated, x); },
                   .inputs = inputs,
                   .rounding = 8,
                   .scale = size,
                   .gradient_scale = size * static_cast<double>(B),
                   .gradient = {.elements = 16}};
  };
  Declared d{.name = name, .arguments = {gated ? "u" : "z", "k", "skip"}, .optional = 1};
  for (const int64_t L : {3, 1, 2, 5, 8, 13, 16, 17, 31}) d.samples.push_back(of(2, 3, L, true));
  d.samples.push_back(of(3, 2, 10, false));
  d.samples.push_back(of(1, 1, 127, true));
  d.samples.push_back(of(0, 3, 5, true));
  d.samples.push_back(of(2, 0, 5, true));
  d.samples.push_back(of(2, 3, 0, true));
  d.sized = [=](int64_t n) {
    const int64_t L = std::min<int64_t>(n / 8, 1000);
    return of(2, n / (2 * L), L, true);
  };
  const auto misfit = [=](const std::string& what, const Shape& signal, const Shape& k,
                          const Shape& skip) {
    return refusal<ShapeError>(str(name, ": ", what),
                               [=] { op(zeros(signal), zeros(k), zeros(skip)); });
  };
  if (gated) {
    d.refusals = {
        misfit("'u': expected [B, 3C, L], got [3, 8]", {3, 8}, {1, 8}, {1}),
        misfit("'u': expected [B, 3C, L], got [2, 4, 8]", {2, 4, 8}, {1, 8}, {1}),
        misfit("'k': expected [C, L] = [1, 8] for u [2, 3, 8], got [3, 8]", {2, 3, 8}, {3, 8}, {3}),
        misfit("'skip': expected [2], got [6]", {1, 6, 8}, {2, 8}, {6})};
  } else {
    d.refusals = {
        misfit("'z': expected [B, C, L], got [3, 8]", {3, 8}, {3, 8}, {3}),
        misfit("'k': expected [C, L] = [3, 8] for z [2, 3, 8], got [3, 7]", {2, 3, 8}, {3, 7}, {3}),
        misfit("'skip': expected [3], got [2]", {2, 3, 8}, {3, 8}, {2})};
  }
  // A 16-bit signal takes its own dtype or float32, but not another 16-bit one.
  d.refusals.push_back(refusal<DTypeError>(str(name, ": 'k': expected float16, got bfloat16"), [=] {
    op(zeros({1, 3, 4}, {.dtype = DType::float16}),
       zeros({gated ? 1 : 3, 4}, {.dtype = DType::bfloat16}), {});
  }));
  return d;
}

}  // namespace

std::vector<Declared> declared_convolutions() {
  return {declared_depthwise_conv1d(), long_convolution(false), long_convolution(true)};
}

}  // namespace crocuta::test
