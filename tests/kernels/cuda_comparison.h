// Kernels on the GPU beside those on the CPU.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "tests/kernels/device_memory.h"
#include "tests/support/catch.h"

namespace crocuta::test {

using kernels::accumulator_t;
using kernels::Cpu;
using kernels::Cuda;

// Half the distance from 1 to the next number.
template <class T>
constexpr double unit_roundoff() {
  if constexpr (std::is_same_v<T, double>) return 0x1p-53;
  if constexpr (std::is_same_v<T, float>) return 0x1p-24;
  if constexpr (std::is_same_v<T, float16>) return 0x1p-11;
  return 0x1p-8;
}

// Multiples of 1/64 in [-4, 4], so that equals occur, and every type holds them.
template <class T>
std::vector<T> random_values(std::int64_t n, std::uint32_t seed) {
  std::mt19937 generator(seed);
  std::uniform_int_distribution<int> uniform(-256, 256);
  std::vector<T> x(static_cast<std::size_t>(n));
  for (T& v : x) v = T(static_cast<accumulator_t<T>>(uniform(generator)) / 64);
  return x;
}
inline std::vector<std::int64_t> random_ids(std::int64_t n, std::int64_t limit,
                                            std::uint32_t seed) {
  std::mt19937_64 generator(seed);
  std::uniform_int_distribution<std::int64_t> uniform(0, limit - 1);
  std::vector<std::int64_t> ids(static_cast<std::size_t>(n));
  for (std::int64_t& id : ids) id = uniform(generator);
  return ids;
}

// An operand or result that begins `offset` elements behind an aligned address.
template <class Device, class T>
class Operand {
 public:
  Operand(std::vector<T> values, int offset)
      : offset_(offset), memory_(shifted(std::move(values), offset)) {}

  T* data() { return memory_.data() + offset_; }
  std::vector<double> values() const {
    std::vector<double> values;
    const std::vector<T> all = memory_.values();
    for (auto i = static_cast<std::size_t>(offset_); i < all.size(); ++i) {
      values.push_back(static_cast<double>(static_cast<accumulator_t<T>>(all[i])));
    }
    return values;
  }

 private:
  static std::vector<T> shifted(std::vector<T> values, int offset) {
    values.insert(values.begin(), static_cast<std::size_t>(offset), T());
    return values;
  }

  int offset_;
  OnDevice<Device, T> memory_;
};
// For n results; a kernel that leaves one out is noticed.
template <class Device, class T>
Operand<Device, T> results(std::int64_t n, int offset) {
  return {std::vector<T>(static_cast<std::size_t>(n), T(static_cast<accumulator_t<T>>(-77))),
          offset};
}

using Results = std::vector<std::vector<double>>;

inline bool same_bits(const Results& a, const Results& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i].size() != b[i].size()) return false;
    for (std::size_t j = 0; j < a[i].size(); ++j) {
      // Which of two NaNs a CPU's sum is depends on the compiler; a GPU has only one.
      if (std::isnan(a[i][j]) && std::isnan(b[i][j])) continue;
      if (std::memcmp(&a[i][j], &b[i][j], sizeof(double)) != 0) return false;
    }
  }
  return true;
}

// The largest difference, as a multiple of the largest of the expected numbers; infinite where one
// is NaN or infinite and the other is not.
inline double difference(const std::vector<double>& got, const std::vector<double>& expected) {
  if (got.size() != expected.size()) return HUGE_VAL;
  double largest = 0, worst = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    if (std::isfinite(expected[i])) largest = std::max(largest, std::fabs(expected[i]));
  }
  for (std::size_t i = 0; i < got.size(); ++i) {
    const bool same = got[i] == expected[i] || (std::isnan(got[i]) && std::isnan(expected[i]));
    if (same) continue;
    const double d = std::fabs(got[i] - expected[i]) / largest;
    worst = std::isfinite(d) ? std::max(worst, d) : HUGE_VAL;
  }
  return worst;
}

// run(device, offset) runs the kernels with all operands at that offset and gives all results. They
// must be those of the CPU within `tolerance`, and the same bits every time, aligned or not.
template <class Run>
void compare(double tolerance, Run run) {
  const Results expected = run(Cpu{}, 0);
  const Results got = run(Cuda{}, 0);
  REQUIRE(got.size() == expected.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    INFO("result " << i);
    CHECK(difference(got[i], expected[i]) <= tolerance);
  }
  CHECK(same_bits(run(Cuda{}, 0), got));
  CHECK(same_bits(run(Cuda{}, 1), got));
}

}  // namespace crocuta::test
