#include "kernels/math.h"

#include <algorithm>
#include <cmath>

#include "tests/support/catch.h"

using namespace crocuta::kernels;

namespace {

float float_of(std::uint32_t bits) {
  float x;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}

struct Worst {
  double ulp = 0;
  float at = 0;
  int wrong = 0;  // NaN, infinity or sign where the exact function has another
};

// Compares f with the double function `exact`, rounded, on every 4001st float and around zero,
// one, overflow and underflow: a million arguments.
template <class F, class Exact>
Worst worst_error(F f, Exact exact, float limit = HUGE_VALF) {
  Worst worst;
  const auto look = [&](std::uint32_t bits) {
    const float x = float_of(bits);
    if (std::fabs(x) > limit) return;
    const float y = f(x);
    const double r = exact(static_cast<double>(x));
    const auto rounded = static_cast<float>(r);
    if (std::isnan(r) || std::isnan(y)) {
      worst.wrong += std::isnan(r) != std::isnan(y);
    } else if (std::isinf(rounded) || std::isinf(y)) {
      worst.wrong += rounded != y;
    } else {
      worst.wrong += std::signbit(r) != std::signbit(y);
      int exponent;
      std::frexp(r, &exponent);
      const double ulp = std::ldexp(1.0, std::max(exponent - 24, -149));
      const double error = std::fabs(y - r) / ulp;
      if (error > worst.ulp) worst = {error, x, worst.wrong};
    }
  };
  for (std::uint64_t bits = 0; bits < (std::uint64_t{1} << 32); bits += 4001) {
    look(static_cast<std::uint32_t>(bits));
  }
  for (const float center :
       {0.0f, -0.0f, 1.0f, -1.0f, 88.72283f, -87.33654f, -103.97208f, 0x1p-126f, 0x1p-149f,
        1.5707963f, 3.1415927f, 10.0f, -10.0f, HUGE_VALF}) {
    std::uint32_t bits;
    std::memcpy(&bits, &center, sizeof bits);
    for (std::uint32_t d = 0; d < 300; ++d) {
      look(bits + d);
      look(bits - d);
    }
  }
  return worst;
}

void check(const Worst& worst, double bound) {
  INFO("the worst argument is " << worst.at);
  CHECK(worst.ulp <= bound);
  CHECK(worst.wrong == 0);
}

}  // namespace

// The bounds are the exhaustive maxima over all 2^32 floats, which kernels/math.h states.
TEST_CASE("exp of a float is right within 1.1 units in the last place") {
  check(worst_error([](float x) { return math::exp(x); }, [](double x) { return std::exp(x); }),
        1.1);
}

TEST_CASE("log of a float is right within 0.9 units in the last place") {
  check(worst_error([](float x) { return math::log(x); }, [](double x) { return std::log(x); }),
        0.9);
}

TEST_CASE("tanh of a float is right within 2.6 units in the last place") {
  check(worst_error([](float x) { return math::tanh(x); }, [](double x) { return std::tanh(x); }),
        2.6);
}

TEST_CASE("sigmoid of a float is right within 2.5 units in the last place") {
  const auto exact = [](double x) {
    return x < 0 ? std::exp(x) / (1 + std::exp(x)) : 1 / (1 + std::exp(-x));
  };
  check(worst_error([](float x) { return math::sigmoid(x); }, exact), 2.5);
}

TEST_CASE("sin and cos of a float are right within 2.2 units in the last place up to 2^20") {
  check(worst_error([](float x) { return math::sin(x); }, [](double x) { return std::sin(x); },
                    math::kSineLimit),
        2.2);
  check(worst_error([](float x) { return math::cos(x); }, [](double x) { return std::cos(x); },
                    math::kSineLimit),
        2.2);
}

TEST_CASE("the functions of doubles are the library's") {
  for (const double x : {-3.0, -0.5, 0.25, 2.0}) {
    CHECK(math::exp(x) == std::exp(x));
    CHECK(math::sin(x) == std::sin(x));
    CHECK(math::cos(x) == std::cos(x));
    CHECK(math::tanh(x) == std::tanh(x));
    CHECK(std::fabs(math::sigmoid(x) - 1 / (1 + std::exp(-x))) < 1e-15);
  }
  CHECK(math::log(3.0) == std::log(3.0));
  const auto [value, complement] = math::sigmoid_pair(50.0);
  CHECK(value == 1);
  CHECK(std::fabs(complement / std::exp(-50.0) - 1) < 1e-15);
  CHECK(math::sigmoid(-800.0) == 0);
  CHECK(math::sigmoid(-700.0) == std::exp(-700.0));
}
