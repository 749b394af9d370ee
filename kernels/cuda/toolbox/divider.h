// Division by a number that is known when a kernel is launched.
#pragma once

#include <cstdint>

#include "kernels/types.h"

namespace crocuta::kernels {

// n / divisor for n >= 0, as a multiplication and a shift: a GPU has no instruction for division,
// and computes one of 64 bits in about a hundred (Granlund and Montgomery, "Division by invariant
// integers using multiplication", PLDI 1994).
class Divider {
 public:
  Divider() = default;
  explicit Divider(std::int64_t divisor) : divisor_(divisor) {  // > 0
    while (shift_ < 62 && (std::int64_t{1} << shift_) < divisor) ++shift_;
    // The smallest integer >= 2^(63 + shift) / divisor. Its excess is below 1, that of n times it
    // below n / 2^(63 + shift) < 1 / divisor, so that the quotient is never too large. Likewise for
    // n below 2^31.
    const auto d = static_cast<Wide>(divisor);
    magic_ = static_cast<std::uint64_t>(((Wide{1} << (63 + shift_)) + d - 1) / d);
    if (divisor <= kSmall) {  // else small n give 0, as small_magic_ does
      small_magic_ = static_cast<std::uint32_t>(((Wide{1} << (31 + shift_)) + d - 1) / d);
    }
  }

  CROCUTA_HOST_DEVICE std::int64_t divide(std::int64_t n) const {
    const auto twice = static_cast<std::uint64_t>(n) * 2;
    if (n > kSmall) return static_cast<std::int64_t>(upper_half(twice, magic_) >> shift_);
    return static_cast<std::int64_t>((twice * small_magic_ >> 32) >> shift_);
  }
  // The same, faster, where n is known to be below 2^31 and the divisor to be at most that.
  CROCUTA_HOST_DEVICE std::uint32_t divide_small(std::uint32_t n) const {
    const std::uint64_t product = static_cast<std::uint64_t>(2 * n) * small_magic_;
    return static_cast<std::uint32_t>(product >> 32) >> shift_;
  }
  CROCUTA_HOST_DEVICE std::int64_t divisor() const { return divisor_; }

 private:
  __extension__ typedef unsigned __int128 Wide;
  static constexpr std::int64_t kSmall = 0x7fffffff;

  CROCUTA_HOST_DEVICE static std::uint64_t upper_half(std::uint64_t a, std::uint64_t b) {
#if defined(__CUDA_ARCH__)
    return __umul64hi(a, b);
#else
    return static_cast<std::uint64_t>(static_cast<Wide>(a) * b >> 64);
#endif
  }

  std::int64_t divisor_ = 1;
  std::uint64_t magic_ = std::uint64_t{1} << 63;
  std::uint32_t small_magic_ = std::uint32_t{1} << 31;
  int shift_ = 0;
};

}  // namespace crocuta::kernels
