// Pieces of a causal convolution whose input comes a few samples at a time:
// layers/hyena/online_conv.h puts them together.
//
// k [C, ..] and slots [rows, ..] have rows k_stride and slot_stride elements apart, row r of slots
// being for row r % C of k. Sums are taken in order, so their bits depend on sizes alone.
#pragma once

#include "kernels/types.h"

namespace crocuta::kernels {

// Both are meant for pieces of this length at most: they take length^2 steps. R is float or double.
inline constexpr std::int64_t kOnlineDirect = 64;

// The next `w` samples z [rows, w], slots being those that they come to: for i < w
//   y[r, i] = slots[r, i] + sum over j <= i of k[r % C, j] * z[r, i - j],   then slots[r, i] = z[r, i]
template <class Device, class R>
void online_conv_block(std::int64_t rows, std::int64_t C, std::int64_t w, const R* k,
                       std::int64_t k_stride, const R* z, R* slots, std::int64_t slot_stride, R* y,
                       Stream stream);

// What the last U samples, which lie before `slots`, add to the next n <= U slots: for i < n
//   slots[r, i] += sum over j < U of slots[r, j - U] * k[r % C, U + i - j]
template <class Device, class R>
void online_conv_tile(std::int64_t rows, std::int64_t C, std::int64_t U, std::int64_t n, const R* k,
                      std::int64_t k_stride, R* slots, std::int64_t slot_stride, Stream stream);

}  // namespace crocuta::kernels
