#include "layers/hyena/filter.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numbers>

#include "framework/ops/ops.h"
#include "framework/tensor/random.h"

namespace crocuta {
namespace {

constexpr const char* kName = "HyenaFilter";

// Point i of n that divide [start, end] evenly.
double linspace(double start, double end, std::int64_t n, std::int64_t i) {
  if (n == 1) return start;
  return start + (end - start) * static_cast<double>(i) / static_cast<double>(n - 1);
}

double position(std::int64_t i, std::int64_t l_max) {
  return linspace(0, 1, l_max, i);
}

// How fast channel c of d decays, a negative number.
double rate(std::int64_t c, std::int64_t d) {
  const double log_target = std::log(0.01);
  return linspace(log_target / 1.5, log_target / 0.3, d, c);
}

}  // namespace

Tensor hyena_filter_features(std::int64_t positions, std::int64_t l_max, std::int64_t emb_dim) {
  const std::int64_t bands = (emb_dim - 1) / 2;
  const Tensor features = empty({positions, emb_dim}, {DType::float64, Device::cpu()});
  double* z = features.data<double>();
  for (std::int64_t i = 0; i < positions; ++i, z += emb_dim) {
    const double w = 2 * std::numbers::pi * static_cast<double>(i) / static_cast<double>(l_max);
    z[0] = position(i, l_max);
    for (std::int64_t j = 0; j < bands; ++j) {
      const double f = linspace(1e-4, static_cast<double>(bands - 1), bands, j);
      z[1 + j] = std::cos(f * w);
      z[1 + bands + j] = -std::sin(f * w);
    }
  }
  return features;
}

Tensor hyena_filter_rates(std::int64_t d_model) {
  std::vector<double> rates;
  for (std::int64_t c = 0; c < d_model; ++c) rates.push_back(rate(c, d_model));
  return from_vector(rates, {d_model}, Device::cpu());
}

namespace {

// exp(-t |delta|) [channels, positions] for channels from `first_channel` on, likewise.
Tensor make_decay(std::int64_t positions, std::int64_t l_max, std::int64_t d_model,
                  std::int64_t first_channel, std::int64_t channels) {
  const Tensor decay = empty({channels, positions}, {DType::float64, Device::cpu()});
  double* out = decay.data<double>();
  for (std::int64_t c = 0; c < channels; ++c) {
    const double delta = rate(first_channel + c, d_model);
    for (std::int64_t i = 0; i < positions; ++i) {
      *out++ = std::exp(-position(i, l_max) * std::abs(delta));
    }
  }
  return decay;
}

Tensor initial_skip(const HyenaOptions& o) {
  const Tensor skip = empty({o.d_model}, o.tensors());
  normal_(skip, 0, 1);
  return skip;
}

// The network's linear maps.
ModuleList<Linear>& fill(ModuleList<Linear>& layers, const HyenaOptions& o) {
  const std::int64_t M = o.filter_order;
  const auto add = [&](std::int64_t in, std::int64_t out, bool bias) {
    layers.append({.in_features = in,
                   .out_features = out,
                   .bias = bias,
                   .dtype = o.dtype,
                   .device = o.device});
  };
  add(o.emb_dim, M, true);
  add(M, M, true);
  add(M, M, true);
  add(M, o.d_model, false);
  return layers;
}

const HyenaOptions& checked(const HyenaOptions& options) {
  require_valid(kName, options);
  return options;
}

// Rows [first, first + count) of a parameter.
Tensor rows(const Tensor& x, std::int64_t first, std::int64_t count) {
  return count == x.size(0) ? x : narrow(x, 0, first, count);
}

}  // namespace

HyenaFilter::HyenaFilter(const HyenaOptions& options)
    : options_(checked(options)),
      layers_(fill(child<ModuleList<Linear>>("layers"), options)),
      freq_(param("freq", full({options.filter_order}, options.w, options.tensors()))),
      skip_(param("skip", initial_skip(options))) {}

DType HyenaFilter::compute_dtype() const {
  return freq_.dtype() == DType::float64 ? DType::float64 : DType::float32;
}

void HyenaFilter::prepare(std::int64_t length, std::int64_t first_channel,
                          std::int64_t channels) const {
  const TensorOptions target{compute_dtype(), freq_.device()};
  if (decay_.defined() && decay_.size(0) == channels && decay_.size(1) >= length &&
      first_channel_ == first_channel && decay_.options() == target) {
    return;
  }
  // Room to grow, so that a text that gets longer symbol by symbol does not start over each time.
  const auto roomy = static_cast<std::int64_t>(std::bit_ceil(static_cast<std::uint64_t>(length)));
  const std::int64_t positions = std::min(roomy, options_.l_max);
  const NoGrad no_grad;
  features_ = hyena_filter_features(positions, options_.l_max, options_.emb_dim).to(target);
  const Tensor decay =
      make_decay(positions, options_.l_max, options_.d_model, first_channel, channels);
  decay_ = (decay + options_.filter_shift).to(target);
  first_channel_ = first_channel;
}

Tensor HyenaFilter::taps(std::int64_t length, const ProcessGroup& cp) const {
  if (length < 0 || length > options_.l_max) {
    fail<ShapeError>(kName, "length", str("at most l_max ", options_.l_max), str(length));
  }
  require_sequence(kName, options_, cp, 0);
  const std::int64_t channels = options_.d_model / cp.size();
  const std::int64_t first_channel = cp.rank() * channels;
  prepare(length, first_channel, channels);

  const auto compute = [this](const Tensor& p) { return p.to(compute_dtype()); };
  const Tensor freq = compute(freq_);
  Tensor a = narrow(features_, 0, 0, length);  // [length, E]
  for (std::size_t i = 0; i < 3; ++i) {
    a = sin(freq * linear(a, compute(layers_[i].weight()), compute(layers_[i].bias())));
  }
  // [1, length, M] → [1, d/P, length]
  const Tensor weight = compute(rows(layers_[3].weight(), first_channel, channels));
  const Tensor k = linear_to_channels(unsqueeze(a, 0), weight, Tensor());
  return squeeze(k, 0) * narrow(decay_, 1, 0, length);
}

Tensor HyenaFilter::local_skip(const ProcessGroup& cp) const {
  require_sequence(kName, options_, cp, 0);
  const std::int64_t channels = options_.d_model / cp.size();
  return rows(skip_, cp.rank() * channels, channels).to(compute_dtype());
}

}  // namespace crocuta
