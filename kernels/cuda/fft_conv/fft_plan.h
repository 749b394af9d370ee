// Complex transforms of many rows, by cuFFT, whose plans are kept for the next call.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/types.h"

namespace crocuta::kernels {

template <class R>
struct alignas(2 * sizeof(R)) Complex {
  R re, im;
};

// The least n not below `length` that cuFFT is fast at: 4, 5, 6 or 7 times a power of two, and a
// multiple of four.
std::int64_t cuda_fft_size(std::int64_t length);

enum class FftDirection { forward, inverse };

// Transforms `rows` rows of n at `data`, in place, on the current device; the inverse gives n times
// the inverse. `work`, aligned to 256, holds fft_work_bytes. Safe to call from many threads.
template <class R>
void cuda_fft(FftDirection direction, std::int64_t n, std::int64_t rows, Complex<R>* data,
              void* work, Stream stream);
template <class R>
std::size_t cuda_fft_work_bytes(std::int64_t n, std::int64_t rows);

// How many plans are kept: at most kMaxFftPlans, the least recently used one goes first.
inline constexpr std::size_t kMaxFftPlans = 64;
std::size_t cuda_fft_plans();

}  // namespace crocuta::kernels
