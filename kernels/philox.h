// Philox4x32-10, a counter-based random number generator: Salmon et al., "Parallel random numbers:
// as easy as 1, 2, 3", SC 2011.
#pragma once

#include "kernels/types.h"

namespace crocuta::kernels {

struct Philox4 {
  std::uint32_t word[4];
};

// Ten rounds on the 128-bit counter (low, high) under a 64-bit key.
CROCUTA_HOST_DEVICE inline Philox4 philox4x32(std::uint64_t key, std::uint64_t low,
                                              std::uint64_t high) {
  std::uint32_t k0 = static_cast<std::uint32_t>(key), k1 = static_cast<std::uint32_t>(key >> 32);
  std::uint32_t c0 = static_cast<std::uint32_t>(low), c1 = static_cast<std::uint32_t>(low >> 32);
  std::uint32_t c2 = static_cast<std::uint32_t>(high), c3 = static_cast<std::uint32_t>(high >> 32);
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t p0 = std::uint64_t{0xD2511F53u} * c0;
    const std::uint64_t p1 = std::uint64_t{0xCD9E8D57u} * c2;
    c0 = static_cast<std::uint32_t>(p1 >> 32) ^ c1 ^ k0;
    c1 = static_cast<std::uint32_t>(p1);
    c2 = static_cast<std::uint32_t>(p0 >> 32) ^ c3 ^ k1;
    c3 = static_cast<std::uint32_t>(p0);
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return {{c0, c1, c2, c3}};
}

// Number `i` of stream `stream` of seed `seed`: 32 uniform bits.
CROCUTA_HOST_DEVICE inline std::uint32_t philox(std::uint64_t seed, std::uint64_t stream,
                                                std::uint64_t i) {
  return philox4x32(seed, i / 4, stream).word[i % 4];
}

// 32 bits as a number in [0, 1) that float and double both hold exactly.
CROCUTA_HOST_DEVICE inline double unit_interval(std::uint32_t bits) {
  return static_cast<double>(bits >> 8) * 0x1p-24;
}

}  // namespace crocuta::kernels
