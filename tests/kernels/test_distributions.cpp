#include "kernels/distributions.h"

#include <algorithm>
#include <cmath>

#include "tests/support/catch.h"

using namespace crocuta::kernels;

namespace {

double ulps(double y, double exact) {
  int exponent;
  std::frexp(exact, &exponent);
  return std::fabs(y - exact) / std::ldexp(1.0, exponent - 53);
}

}  // namespace

TEST_CASE("the logarithm that random numbers go through is the library's within 2 units") {
  double worst = 0;
  for (std::uint64_t bits = 0; bits < (std::uint64_t{1} << 32) - 1; bits += 9973) {
    const auto word = static_cast<std::uint32_t>(bits);
    const double exact = std::log((static_cast<double>(word) + 1) * 0x1p-32);
    worst = std::max(worst, ulps(detail::log_of_unit(word), exact));
  }
  CHECK(worst <= 2);
  CHECK(detail::log_of_unit(0xffffffffu) == 0);
  CHECK(ulps(detail::log_of_unit(0), -32 * std::log(2.0)) <= 2);
}

TEST_CASE("cosine and sine of turns are the library's, and exact at the quarters") {
  double worst = 0;
  for (std::uint32_t k = 0; k < (1u << 24); k += 97) {
    const detail::CosSin y = detail::cos_sin_of_turn(k << 8);
    // The angle that the library gets is rounded, by up to half a unit of 2 pi.
    const double angle = 2 * M_PI * (k * 0x1p-24);
    worst = std::max({worst, std::fabs(y.cos - std::cos(angle)), std::fabs(y.sin - std::sin(angle)),
                      std::fabs(y.cos * y.cos + y.sin * y.sin - 1)});
  }
  CHECK(worst <= 0x1p-50);
  const auto at = [](std::uint32_t quarters) { return detail::cos_sin_of_turn(quarters << 30); };
  CHECK((at(0).cos == 1 && at(0).sin == 0));
  CHECK((at(1).cos == 0 && at(1).sin == 1));
  CHECK((at(2).cos == -1 && at(2).sin == 0));
  CHECK((at(3).cos == 0 && at(3).sin == -1));
  const detail::CosSin last = detail::cos_sin_of_turn(0xffffffffu);
  CHECK((last.cos < 1 && last.cos > 1 - 1e-12 && last.sin < 0 && last.sin > -1e-6));
}

TEST_CASE("random numbers have the same bits on every machine") {
  // From x86-64 with and without fused multiply-adds.
  const NormalPair a = normal_numbers(0x6627e8d5, 0xe169c58d, 0.25, 3);
  CHECK(a.first == 0x1.9c98c7978d452p+1);
  CHECK(a.second == -0x1.43120d19a0e9p+1);
  const NormalPair b = normal_numbers(0xffff0000, 0x9b00dbd8, -1, 0.5);
  CHECK(b.first == -0x1.008eb23e9c8efp+0);
  CHECK(b.second == -0x1.006f614dc74a4p+0);
  CHECK(uniform_number(0x6627e8d5, -0.1, 0.3) == 0x1.e865333333334p-5);
}
