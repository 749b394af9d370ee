// Operands of kernels on either machine, for tests that compare the two.
#pragma once

#include <cstdint>
#include <cstring>
#include <vector>

#include "kernels/cuda/toolbox/device.h"
#include "kernels/philox.h"
#include "tests/kernels/device_vector.h"
#include "tests/support/catch.h"

namespace crocuta::test {

using namespace kernels;  // NOLINT: the tests' own namespace

inline bool have_gpu() {
  int count = 0;
  return cudaGetDeviceCount(&count) == cudaSuccess && count > 0;
}

// Both are left alone by the kernels: what stands before an operand, `shift` elements that put it
// at an odd address, and what stands behind it.
template <class T>
std::vector<T> padded(const std::vector<T>& values, std::size_t shift) {
  std::vector<T> all(values.size() + shift + 1);
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = T(static_cast<accumulator_t<T>>(77));
  std::copy(values.begin(), values.end(), all.begin() + static_cast<std::ptrdiff_t>(shift));
  return all;
}

// `values` in a Device's memory.
template <class Device, class T>
class Operand {
 public:
  explicit Operand(const std::vector<T>& values, std::size_t shift = 0)
      : shift_(shift), size_(values.size()), memory_(padded(values, shift)) {}

  T* data() { return memory_.data() + shift_; }
  std::vector<T> values() const {
    std::vector<T> all = contents(memory_);
    const auto begin = all.begin() + static_cast<std::ptrdiff_t>(shift_);
    const auto end = begin + static_cast<std::ptrdiff_t>(size_);
    const std::vector<T> inside(begin, end);
    const std::vector<T> untouched = padded(inside, shift_);
    CHECK(std::memcmp(all.data(), untouched.data(), all.size() * sizeof(T)) == 0);
    return inside;
  }

 private:
  using Memory = std::conditional_t<std::is_same_v<Device, Cuda>, DeviceVector<T>, std::vector<T>>;
  static std::vector<T> contents(const DeviceVector<T>& memory) { return memory.to_vector(); }
  static std::vector<T> contents(const std::vector<T>& memory) { return memory; }

  std::size_t shift_, size_;
  Memory memory_;
};

// n numbers from `low` to `high`, whole ones for integers.
template <class T>
std::vector<T> numbers(std::int64_t n, double low, double high, std::uint64_t seed = 1) {
  std::vector<T> values(static_cast<std::size_t>(n));
  for (std::int64_t i = 0; i < n; ++i) {
    const double u = unit_interval(philox(seed, 0, static_cast<std::uint64_t>(i)));
    values[static_cast<std::size_t>(i)] = T(static_cast<accumulator_t<T>>(low + (high - low) * u));
  }
  return values;
}

// Equality of bits, but for NaNs, which are all alike.
template <class T>
bool same(const std::vector<T>& a, const std::vector<T>& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const auto x = static_cast<accumulator_t<T>>(a[i]), y = static_cast<accumulator_t<T>>(b[i]);
    if (std::memcmp(&a[i], &b[i], sizeof(T)) != 0 && (x == x || y == y)) return false;
  }
  return true;
}

// Around the widths of accesses, warps and blocks, primes, and more than one block takes.
inline const std::vector<std::int64_t> kSizes = {0,  1,   7,   8,   9,    31,   32,
                                                 33, 255, 256, 257, 1021, 65537};

template <class T>
struct Type {
  using type = T;
};
template <class F>
void for_floating_types(F f) {
  f(Type<float>{});
  f(Type<double>{});
  f(Type<bfloat16>{});
  f(Type<float16>{});
}
template <class F>
void for_types(F f) {
  for_floating_types(f);
  f(Type<std::int64_t>{});
  f(Type<std::int32_t>{});
}
template <class F>
void for_devices(F f) {
  f(Type<Cpu>{});
  f(Type<Cuda>{});
}

}  // namespace crocuta::test
