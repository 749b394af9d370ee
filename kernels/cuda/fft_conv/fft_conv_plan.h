// How a batch of FFT convolutions is cut into pieces of bounded size.
#pragma once

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstring>

#include "kernels/cuda/fft_conv/fft_plan.h"
#include "kernels/error.h"

namespace crocuta::kernels {

// A piece has all of its channels' rows b .. b + batch of the batch; with more than one channel,
// that is the whole batch.
struct FftConvPlan {
  std::int64_t n = 0;                    // length of the transforms
  std::int64_t channels = 0, batch = 0;  // most of a piece
};

// This bounds the scratch memory, to five times as much at most. Pieces small enough for their
// spectra to stay in the cache (an H100's has 50 MB) do not pay: the steps of a model of two blocks (d
// 768, L 8192, B 8) took 34.6 ms at 6 MiB, 29.5 at 12, 27.2 at 24, 27.3 at 48 and 25.7 in one piece of
// 403. CROCUTA_FFT_PIECE_MIB tries others.
constexpr std::size_t kFftPieceBytes = std::size_t{512} << 20;
// Kernels count in 32 bits within a piece.
constexpr std::size_t kMaxFftPieceMebibytes = 8192;

// The budget that the variable's text, null if it is not set, asks for. Where it cuts a batch
// otherwise, dk is summed in another order. Throws Error if the text is no number of MiB from 1 to
// kMaxFftPieceMebibytes.
inline std::size_t fft_piece_bytes(const char* text) {
  if (text == nullptr) return kFftPieceBytes;
  std::size_t number = 0;
  const char* const end = text + std::strlen(text);
  const auto [stop, error] = std::from_chars(text, end, number);
  if (error != std::errc{} || stop != end || number < 1 || number > kMaxFftPieceMebibytes) {
    throw Error("fft_conv: 'CROCUTA_FFT_PIECE_MIB': expected a number of MiB from 1 to 8192");
  }
  return number << 20;
}

// The spectra of one tensor's piece take at most `budget` bytes, but at least one row. B, C, L > 0.
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
