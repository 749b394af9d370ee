// The formulas of the Hyena layers as plain loops in float64, convolutions as direct sums.
#pragma once

#include <cstdint>
#include <vector>

#include "framework/module.h"
#include "layers/hyena_options.h"

namespace crocuta::test {

// Row-major arrays.
using Values = std::vector<double>;

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
