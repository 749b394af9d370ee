// A causal convolution whose input comes a few samples at a time, exactly, at a cost per sample that
// grows with log^2 of the length instead of the length.
//
// Relaxed multiplication (Fischer and Stockmeyer, "Fast on-line integer multiplication", 1974; van
// der Hoeven, "Relax, but don't be too lazy", 2002). Slot s of a row holds sample s once that is
// known, and until then what the samples so far add to output s. When t samples are known, with U
// the lowest set bit of t, the last U of them are convolved into slots t .. t + U. So every pair of a
// sample j and an output s > j is counted once: at the highest bit in which j and s differ.
#pragma once

#include <functional>

#include "layers/state.h"

namespace crocuta {

// z [B, C, m], the samples after the first t, → y [B, C, m] = sum over j <= s of k[c, s - j] z[j].
// `taps(n)` gives k [C, n], n <= limit, of z's dtype: float32 or float64; it is asked for anew as the
// sequence grows, and the first taps must be the same each time. `kept` holds slots and taps: about
// B C + C numbers per sample, in powers of two. t + m <= limit.
Tensor online_conv(const Tensor& z, std::int64_t t, std::int64_t limit,
                   const std::function<Tensor(std::int64_t n)>& taps, State::Kept& kept);

}  // namespace crocuta
