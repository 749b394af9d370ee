// Causal convolutions as long as their input, by FFT; and with Hyena's gates around them.
//
// y[b, c, t] = sum over j <= t of k[c, j] * z[b, c, t - j]  +  skip[c] * z[b, c, t]
//
// k and skip are in accumulator_t<T>, and so is all arithmetic; 16-bit results are rounded once.
// The error of an FFT is relative to the largest elements of a row, not to each element, and a NaN
// or Inf anywhere in a row makes the whole row NaN. Rows of a batch do not affect each other. Any
// size may be 0.
#pragma once

#include <cstddef>

#include "kernels/types.h"

namespace crocuta::kernels {

// Bytes of scratch memory, aligned to 64, that the kernels below need.
template <class Device, class T>
std::size_t fft_conv_workspace_bytes(std::int64_t B, std::int64_t C, std::int64_t L);

// z [B, C, L], k [C, L], skip [C] or null (zeros), y [B, C, L].
template <class Device, class T>
void fft_conv_forward(std::int64_t B, std::int64_t C, std::int64_t L, const T* z,
                      const accumulator_t<T>* k, const accumulator_t<T>* skip, T* y,
                      void* workspace, Stream stream);

// dz [B, C, L], dk [C, L], dskip [C] from dy [B, C, L]. Each of the three may be null: not wanted.
template <class Device, class T>
void fft_conv_backward(std::int64_t B, std::int64_t C, std::int64_t L, const T* z,
                       const accumulator_t<T>* k, const accumulator_t<T>* skip, const T* dy, T* dz,
                       accumulator_t<T>* dk, accumulator_t<T>* dskip, void* workspace,
                       Stream stream);

// The gated form: u [B, 3C, L] holds three streams, channel 3c + p being stream p of x0, x1, v:
//   z = x1 * v,   y = x0 * (conv(z, k) + skip * z)            y [B, C, L]
template <class Device, class T>
void hyena_conv_forward(std::int64_t B, std::int64_t C, std::int64_t L, const T* u,
                        const accumulator_t<T>* k, const accumulator_t<T>* skip, T* y,
                        void* workspace, Stream stream);

// du [B, 3C, L], dk [C, L], dskip [C] from dy [B, C, L]. Each of the three may be null: not wanted.
// The convolution's result is computed again rather than kept.
template <class Device, class T>
void hyena_conv_backward(std::int64_t B, std::int64_t C, std::int64_t L, const T* u,
                         const accumulator_t<T>* k, const accumulator_t<T>* skip, const T* dy,
                         T* du, accumulator_t<T>* dk, accumulator_t<T>* dskip, void* workspace,
                         Stream stream);

}  // namespace crocuta::kernels
