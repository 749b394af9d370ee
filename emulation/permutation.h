// Orders drawn by chance, the same for the same seed.
#pragma once

#include <bit>
#include <cstdint>
#include <utility>

namespace crocuta::emulation {

// A xorshift generator: fast, and good enough to shuffle with.
class Random {
 public:
  explicit Random(std::uint64_t seed = 0) { this->seed(seed); }
  void seed(std::uint64_t seed) {
    // Neighbouring seeds must not give neighbouring states (splitmix64), nor any seed a zero.
    std::uint64_t z = seed + 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    state_ = (z ^ (z >> 31)) | 1;
  }
  std::uint32_t next() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return static_cast<std::uint32_t>(state_ >> 32);
  }
  std::uint32_t below(std::uint32_t n) {
    return static_cast<std::uint32_t>((std::uint64_t{next()} * n) >> 32);
  }
  template <class T>
  void shuffle(T* items, std::uint32_t n) {
    for (std::uint32_t i = n; i > 1; --i) std::swap(items[i - 1], items[below(i)]);
  }

 private:
  std::uint64_t state_;
};

// Visits 0 ... count-1 once each, without memory for them: steps through a bijection of the numbers
// of as many bits, passing over those that are too large.
class BlockOrder {
 public:
  void start(std::uint64_t count, Random& random) {
    count_ = count;
    position_ = 0;
    const int bits = count > 1 ? std::bit_width(count - 1) : 1;
    mask_ = (std::uint64_t{1} << bits) - 1;
    shift_ = (bits + 1) / 2;
    add_ = random.next();
    multiply_ = random.next() | 1;
  }
  // False at the end.
  bool next(std::uint64_t* block) {
    while (position_ <= mask_) {
      std::uint64_t x = position_++;
      // Each step can be undone within the mask, so no two numbers meet.
      x = (x * multiply_ + add_) & mask_;
      x ^= x >> shift_;
      x = (x * multiply_ + add_) & mask_;
      if (x < count_) {
        *block = x;
        return true;
      }
    }
    return false;
  }

 private:
  std::uint64_t count_ = 0, position_ = 0, mask_ = 0, add_ = 0, multiply_ = 1;
  int shift_ = 1;
};

}  // namespace crocuta::emulation
