// How a batch of FFT convolutions is cut into pieces of bounded size.
#pragma once

#include <algorithm>
#include <cstddef>

#include "kernels/cuda/fft_plan.h"

namespace crocuta::kernels {

// A piece has all of its channels' rows b .. b + batch of the batch; with more than one channel,
// that is the whole batch.
struct FftConvPlan {
  std::int64_t n = 0;                    // length of the transforms
  std::int64_t channels = 0, batch = 0;  // most of a piece
};

// The spectra of one tensor's piece take at most `budget` bytes, but at least one row. With the
// default they are still in an H200's cache (60 MB) when the next kernel reads them.
constexpr std::size_t kFftPieceBytes = std::size_t{24} << 20;

// B, C, L > 0.
inline FftConvPlan fft_conv_plan(std::int64_t B, std::int64_t C, std::int64_t L,
                                 std::size_t complex_bytes, std::size_t budget = kFftPieceBytes) {
  FftConvPlan plan;
  plan.n = cuda_fft_size(L);
  const auto in_budget = static_cast<std::int64_t>(budget / complex_bytes) / plan.n;
  const std::int64_t rows = std::max<std::int64_t>(in_budget, 1);
  plan.batch = std::min(B, rows);
  plan.channels = std::min(C, rows / plan.batch);
  return plan;
}

}  // namespace crocuta::kernels
