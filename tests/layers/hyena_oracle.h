// The formulas of the Hyena layers as plain loops in float64, convolutions as direct sums.
#pragma once

#include <cstdint>
#include <vector>

#include "framework/nn/module.h"
#include "layers/hyena/options.h"

namespace crocuta::test {

// Row-major arrays.
using Values = std::vector<double>;

// y [rows, out] = x [rows, in] W^T + b, with W [out, in] and b [out] or empty.
Values oracle_linear(const Values& x, const Values& W, const Values& b, std::int64_t in);

// Of parameters "weight" and "bias", over rows of d.
Values oracle_layer_norm(const Values& x, const StateDict& p, std::int64_t d);

double oracle_gelu(double z);

// The taps k [d, L] of a HyenaFilter with these parameters.
Values oracle_taps(const StateDict& filter, const HyenaOptions& options, std::int64_t L);

// A HyenaOperator with these parameters on x [B, L, d].
Values oracle_operator(const StateDict& parameters, const HyenaOptions& options, const Values& x,
                       std::int64_t B, std::int64_t L);

// A HyenaBlock without dropout, likewise.
Values oracle_block(const StateDict& parameters, const HyenaOptions& options, const Values& x,
                    std::int64_t B, std::int64_t L);

// Those of `state` under `prefix`, without it.
StateDict under(const StateDict& state, const std::string& prefix);

}  // namespace crocuta::test
