#include "tests/layers/hyena_oracle.h"

#include <cmath>
#include <string>

namespace crocuta::test {
namespace {

const double kPi = std::acos(-1.0);

Values get(const StateDict& state, const std::string& name) {
  return state.at(name).to_vector<double>();
}

std::size_t at(std::int64_t i) {
  return static_cast<std::size_t>(i);
}

Values linear(const Values& x, const StateDict& p, std::int64_t in) {
  return oracle_linear(x, get(p, "weight"), p.count("bias") ? get(p, "bias") : Values{}, in);
}

double point(double start, double end, std::int64_t n, std::int64_t i) {
  return n == 1 ? start
                : start + (end - start) * static_cast<double>(i) / static_cast<double>(n - 1);
}

}  // namespace

Values oracle_linear(const Values& x, const Values& W, const Values& b, std::int64_t in) {
  const std::int64_t rows = static_cast<std::int64_t>(x.size()) / in;
  const std::int64_t out = static_cast<std::int64_t>(W.size()) / in;
  Values y(at(rows * out));
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t o = 0; o < out; ++o) {
      double sum = b.empty() ? 0 : b[at(o)];
      for (std::int64_t i = 0; i < in; ++i) sum += x[at(r * in + i)] * W[at(o * in + i)];
      y[at(r * out + o)] = sum;
    }
  }
  return y;
}

Values oracle_layer_norm(const Values& x, const StateDict& p, std::int64_t d) {
  const Values weight = get(p, "weight"), bias = get(p, "bias");
  Values y(x.size());
  for (std::size_t row = 0; row < x.size(); row += at(d)) {
    double mean = 0, variance = 0;
    for (std::size_t i = 0; i < at(d); ++i) mean += x[row + i] / static_cast<double>(d);
    for (std::size_t i = 0; i < at(d); ++i) {
      variance += (x[row + i] - mean) * (x[row + i] - mean) / static_cast<double>(d);
    }
    for (std::size_t i = 0; i < at(d); ++i) {
      y[row + i] = (x[row + i] - mean) / std::sqrt(variance + 1e-5) * weight[i] + bias[i];
    }
  }
  return y;
}

double oracle_gelu(double z) {
  return z / 2 * (1 + std::tanh(std::sqrt(2 / kPi) * (z + 0.044715 * z * z * z)));
}

StateDict under(const StateDict& state, const std::string& prefix) {
  StateDict out;
  for (const auto& [name, tensor] : state) {
    if (name.rfind(prefix + ".", 0) == 0) out[name.substr(prefix.size() + 1)] = tensor;
  }
  return out;
}

Values oracle_taps(const StateDict& p, const HyenaOptions& o, std::int64_t L) {
  const std::int64_t E = o.emb_dim, M = o.filter_order, d = o.d_model, bands = (E - 1) / 2;
  const Values freq = get(p, "freq");
  Values a(at(L * E));
  for (std::int64_t i = 0; i < L; ++i) {
    const double w = 2 * kPi * static_cast<double>(i) / static_cast<double>(o.l_max);
    a[at(i * E)] = point(0, 1, o.l_max, i);
    for (std::int64_t j = 0; j < bands; ++j) {
      const double f = point(1e-4, static_cast<double>(bands) - 1, bands, j);
      a[at(i * E + 1 + j)] = std::cos(f * w);
      a[at(i * E + 1 + bands + j)] = -std::sin(f * w);
    }
  }
  for (int layer = 0; layer < 3; ++layer) {
    a = linear(a, under(p, "layers." + std::to_string(layer)), layer == 0 ? E : M);
    for (std::size_t i = 0; i < a.size(); ++i) a[i] = std::sin(freq[i % at(M)] * a[i]);
  }
  const Values taps = oracle_linear(a, get(p, "layers.3.weight"), {}, M);  // [L, d]
  Values k(at(d * L));
  for (std::int64_t c = 0; c < d; ++c) {
    const double delta = point(std::log(0.01) / 1.5, std::log(0.01) / 0.3, d, c);
    for (std::int64_t i = 0; i < L; ++i) {
      k[at(c * L + i)] = taps[at(i * d + c)] * std::exp(-point(0, 1, o.l_max, i) * std::abs(delta));
    }
  }
  return k;
}

Values oracle_operator(const StateDict& p, const HyenaOptions& o, const Values& x, std::int64_t B,
                       std::int64_t L) {
  const std::int64_t d = o.d_model;
  const Values k = oracle_taps(under(p, "filter"), o, L), skip = get(p, "filter.skip");
  const Values W = get(p, "short_conv.weight"), b = get(p, "short_conv.bias");
  const Values projected = linear(x, under(p, "in_proj"), d);  // [B, L, 3d]
  Values h(at(B * L * d));
  for (std::int64_t n = 0; n < B; ++n) {
    for (std::int64_t c = 0; c < d; ++c) {
      Values streams[3];  // x0, x1, v of channel c
      for (std::int64_t s = 0; s < 3; ++s) {
        const std::int64_t channel = 3 * c + s;
        streams[s].assign(at(L), b[at(channel)]);
        for (std::int64_t t = 0; t < L; ++t) {
          for (std::int64_t j = 0; j < 3 && j <= t; ++j) {
            streams[s][at(t)] +=
                W[at(channel * 3 + 2 - j)] * projected[at((n * L + t - j) * 3 * d + channel)];
          }
        }
      }
      for (std::int64_t t = 0; t < L; ++t) {
        double sum = 0;
        for (std::int64_t j = 0; j <= t; ++j) {
          sum += k[at(c * L + j)] * streams[1][at(t - j)] * streams[2][at(t - j)];
        }
        sum += skip[at(c)] * streams[1][at(t)] * streams[2][at(t)];
        h[at((n * L + t) * d + c)] = streams[0][at(t)] * sum;
      }
    }
  }
  return linear(h, under(p, "out_proj"), d);
}

Values oracle_block(const StateDict& p, const HyenaOptions& o, const Values& x, std::int64_t B,
                    std::int64_t L) {
  Values r = oracle_operator(under(p, "mixer"), o,
                             oracle_layer_norm(x, under(p, "norm1"), o.d_model), B, L);
  for (std::size_t i = 0; i < r.size(); ++i) r[i] += x[i];
  const Values norm = oracle_layer_norm(r, under(p, "norm2"), o.d_model);
  Values inner = linear(norm, under(p, "mlp.fc1"), o.d_model);
  for (double& z : inner) z = oracle_gelu(z);
  const std::int64_t width = static_cast<std::int64_t>(get(p, "mlp.fc1.bias").size());
  const Values out = linear(inner, under(p, "mlp.fc2"), width);
  for (std::size_t i = 0; i < r.size(); ++i) r[i] += out[i];
  return r;
}

}  // namespace crocuta::test
