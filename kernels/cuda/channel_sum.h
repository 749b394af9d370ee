// Sums over batch and length, one per channel, in an order fixed by the sizes: every channel is cut
// into parts, each summed by one block, and the parts are then added up in double.
#pragma once

#include <algorithm>

#include "kernels/cuda/toolbox/launch.h"
#include "kernels/cuda/toolbox/reduce.h"

namespace crocuta::kernels {

// Enough blocks to fill a GPU, unless that leaves them too little to do.
inline std::int64_t channel_sum_parts(std::int64_t B, std::int64_t C, std::int64_t L) {
  constexpr std::int64_t kBlocks = 2048, kLeast = 8192;
  return std::clamp<std::int64_t>(ceil_div(kBlocks, std::max<std::int64_t>(C, 1)), 1,
                                  std::max<std::int64_t>(B * L / kLeast, 1));
}

// partial[c, part] = sum of term.value(term.raw(b * C + c, t)) over this part of all b < B,
// t < length. raw() only reads memory, so that several reads of a thread are under way at once.
template <class Term>
__global__ void __launch_bounds__(kBlockThreads, 4)
    channel_partial_kernel(std::int64_t B, std::int64_t C, std::int64_t length, std::int64_t parts,
                           Term term, double* partial) {
  constexpr int kUnrolled = 4;
  const std::int64_t total = B * length;
  const std::int64_t step_b = blockDim.x / length, step_t = blockDim.x % length;
  for (std::int64_t block = blockIdx.x; block < C * parts; block += gridDim.x) {
    const std::int64_t c = block / parts, part = block % parts, rest = total % parts;
    const std::int64_t begin = total / parts * part + (part < rest ? part : rest);
    const std::int64_t end = begin + total / parts + (part < rest ? 1 : 0);
    const std::int64_t first = begin + threadIdx.x;
    std::int64_t b = first / length, t = first % length;
    const auto next = [&] {
      const auto raw = term.raw(b * C + c, t);
      b += step_b;
      t += step_t;
      if (t >= length) {
        t -= length;
        ++b;
      }
      return raw;
    };
    double sum = 0;
    std::int64_t i = first;
    for (; i + (kUnrolled - 1) * blockDim.x < end; i += kUnrolled * blockDim.x) {
      std::decay_t<decltype(next())> raw[kUnrolled];
#pragma unroll
      for (int u = 0; u < kUnrolled; ++u) raw[u] = next();
#pragma unroll
      for (int u = 0; u < kUnrolled; ++u) sum += static_cast<double>(term.value(raw[u]));
    }
    for (; i < end; i += blockDim.x) sum += static_cast<double>(term.value(next()));
    sum = block_sum(sum);
    if (threadIdx.x == 0) partial[block] = sum;
  }
}

// y[c] = the sum of partial[c, parts], by one warp.
template <class T>
__global__ void __launch_bounds__(kBlockThreads)
    channel_total_kernel(std::int64_t C, std::int64_t parts, const double* partial, T* y) {
  const std::int64_t lane = threadIdx.x % kWarpThreads;
  for (std::int64_t c = grid_index() / kWarpThreads; c < C; c += grid_stride() / kWarpThreads) {
    double sum = 0;
    for (std::int64_t part = lane; part < parts; part += kWarpThreads) {
      sum += partial[c * parts + part];
    }
    sum = warp_reduce(sum, Plus{});
    if (lane == 0) y[c] = T(static_cast<accumulator_t<T>>(sum));
  }
}

// y[c] = sum of the terms [b * C + c, t] over b < B, t < length; `partial` holds C * parts. length
// > 0.
template <class Term, class T>
void sum_channels(const char* name, std::int64_t B, std::int64_t C, std::int64_t length,
                  std::int64_t parts, Term term, double* partial, T* y, Stream stream) {
  launch(name, channel_partial_kernel<Term>, grid_for(C * parts, 1), stream, B, C, length, parts,
         term, partial);
  launch(name, channel_total_kernel<T>, grid_for(C, kBlockThreads / kWarpThreads), stream, C, parts,
         partial, y);
}

}  // namespace crocuta::kernels
