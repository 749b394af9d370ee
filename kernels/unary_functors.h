// The functions of one variable, and their derivatives, that kernels/elementwise.h applies. Each
// takes and returns accumulator values (float for the 16-bit types); parameters are members.
//
// A functor with a member `fast(x)` is only to be called where that holds, and has `slow` for the
// rest: what a vector unit cannot do is kept out of the loop.
#pragma once

#include <cmath>

#include "kernels/math.h"
#include "kernels/types.h"

namespace crocuta::kernels {

// scale * x + shift
struct Affine {
  double scale, shift;
  template <class A>
  CROCUTA_HOST_DEVICE A operator()(A x) const {
    return static_cast<A>(scale) * x + static_cast<A>(shift);
  }
};

struct Exp {
  template <class A>
  CROCUTA_HOST_DEVICE A operator()(A x) const {
    return math::exp(x);
  }
};

struct Log {
  template <class A>
  CROCUTA_HOST_DEVICE A operator()(A x) const {
    return math::log(x);
  }
};

struct Sqrt {
  template <class A>
  CROCUTA_HOST_DEVICE A operator()(A x) const {
    return std::sqrt(x);
  }
};
// From y = sqrt(x).
struct SqrtBackward {
  template <class A>
  CROCUTA_HOST_DEVICE A operator()(A y, A dy) const {
    return dy / (2 * y);
  }
};

struct SineLimit {
  static bool fast(float x) { return std::fabs(x) <= math::kSineLimit; }
};
struct Sin : SineLimit {
  template <class A>
  CROCUTA_HOST_DEVICE A operator()(A x) const {
    return math::sin(x);
  }
  static float slow(float x) { return std::sin(x); }
};
struct SinBackward : SineLimit {
  template <class A>
  CROCUTA_HOST_DEVICE A operator()(A x, A dy) const {
    return dy * math::cos(x);
  }
  static float slow(float x, float dy) { return dy * std::cos(x); }
};
struct Cos : SineLimit {
  template <class A>
  CROCUTA_HOST_DEVICE A operator()(A x) const {
    return math::cos(x);
  }
  static float slow(float x) { return std::cos(x); }
};
struct CosBackward : SineLimit {
  template <class A>
  CROCUTA_HOST_DEVICE A operator()(A x, A dy) const {
    return -dy * math::sin(x);
  }
  static float slow(float x, float dy) { return -dy * std::sin(x); }
};

struct Tanh {
  template <class A>
  CROCUTA_HOST_DEVICE A operator()(A x) const {
    return math::tanh(x);
  }
};
// From y = tanh(x).
struct TanhBackward {
  template <class A>
  CROCUTA_HOST_DEVICE A operator()(A y, A dy) const {
    return dy * (1 - y * y);
  }
};

struct Sigmoid {
  template <class A>
  CROCUTA_HOST_DEVICE A operator()(A x) const {
    return math::sigmoid(x);
  }
};
// From y = sigmoid(x).
struct SigmoidBackward {
  template <class A>
  CROCUTA_HOST_DEVICE A operator()(A y, A dy) const {
    return dy * (y * (1 - y));
  }
};

// x sigmoid(x)
struct Silu {
  template <class A>
  CROCUTA_HOST_DEVICE A operator()(A x) const {
    return x * math::sigmoid(x);
  }
};
struct SiluBackward {
  template <class A>
  CROCUTA_HOST_DEVICE A operator()(A x, A dy) const {
    const auto [s, complement] = math::sigmoid_pair(x);
    return dy * (s * (1 + x * complement));
  }
};

// x / 2 (1 + tanh(u)) with u = sqrt(2 / pi) (x + 0.044715 x^3), which is x sigmoid(2 u).
struct Gelu {
  static constexpr double kLinear = 1.5957691216057308;  // 2 sqrt(2 / pi)
  static constexpr double kCubic = kLinear * 0.044715;
  template <class A>
  CROCUTA_HOST_DEVICE A operator()(A x) const {
    const A linear = static_cast<A>(kLinear), cubic = static_cast<A>(kCubic);
    return x * math::sigmoid(x * (linear + cubic * (x * x)));
  }
};
struct GeluBackward {
  template <class A>
  CROCUTA_HOST_DEVICE A operator()(A x, A dy) const {
    const A linear = static_cast<A>(Gelu::kLinear), cubic = static_cast<A>(Gelu::kCubic);
    // The derivative is 0 or 1 well before 40, and x^3 does not overflow there.
    x = x < -40 ? A(-40) : x;
    x = x > 40 ? A(40) : x;
    const auto [s, complement] = math::sigmoid_pair(x * (linear + cubic * (x * x)));
    return dy * (s + x * (s * complement) * (linear + 3 * cubic * (x * x)));
  }
};

// max(x, 0); NaN stays NaN.
struct Relu {
  template <class A>
  CROCUTA_HOST_DEVICE A operator()(A x) const {
    return x < 0 ? A(0) : x;
  }
};
struct ReluBackward {
  template <class A>
  CROCUTA_HOST_DEVICE A operator()(A x, A dy) const {
    return x > 0 ? dy : A(0);
  }
};

struct Abs {
  template <class A>
  CROCUTA_HOST_DEVICE A operator()(A x) const {
    return std::fabs(x);
  }
};
struct AbsBackward {
  template <class A>
  CROCUTA_HOST_DEVICE A operator()(A x, A dy) const {
    return x > 0 ? dy : x < 0 ? -dy : A(0);
  }
};

struct Square {
  template <class A>
  CROCUTA_HOST_DEVICE A operator()(A x) const {
    return x * x;
  }
};
struct SquareBackward {
  template <class A>
  CROCUTA_HOST_DEVICE A operator()(A x, A dy) const {
    return 2 * (x * dy);  // 2 x alone may overflow
  }
};

struct Pow {
  double exponent;
  template <class A>
  CROCUTA_HOST_DEVICE A operator()(A x) const {
    return std::pow(x, static_cast<A>(exponent));
  }
};
struct PowBackward {
  double exponent;
  template <class A>
  CROCUTA_HOST_DEVICE A operator()(A x, A dy) const {
    return dy * static_cast<A>(exponent) * std::pow(x, static_cast<A>(exponent - 1));
  }
};

// NaN stays NaN.
struct Clamp {
  double low, high;
  template <class A>
  CROCUTA_HOST_DEVICE A operator()(A x) const {
    const A least = static_cast<A>(low), most = static_cast<A>(high);
    x = x < least ? least : x;
    return x > most ? most : x;
  }
};
struct ClampBackward {
  double low, high;
  template <class A>
  CROCUTA_HOST_DEVICE A operator()(A x, A dy) const {
    return x >= static_cast<A>(low) && x <= static_cast<A>(high) ? dy : A(0);
  }
};

// 1 / sqrt(x)
struct Rsqrt {
  template <class A>
  CROCUTA_HOST_DEVICE A operator()(A x) const {
    return 1 / std::sqrt(x);
  }
};
// From y = 1 / sqrt(x).
struct RsqrtBackward {
  template <class A>
  CROCUTA_HOST_DEVICE A operator()(A y, A dy) const {
    return dy * (y * y * y / -2);
  }
};

// log(1 + exp(x)) as max(x, 0) + log(1 + u) with u = exp(-|x|). What 1 + u rounds away from u is made
// up for by the ratio of u to what is left of it (Goldberg, "What every computer scientist should know
// about floating-point arithmetic", 1991, theorem 4).
struct Softplus {
  template <class A>
  CROCUTA_HOST_DEVICE A operator()(A x) const {
    const A u = math::exp(x < 0 ? x : -x), sum = 1 + u, left = sum - 1;
    const A log_sum = left == 0 ? u : math::log(sum) * (u / left);
    return (x > 0 ? x : A(0)) + (x != x ? x : log_sum);
  }
};
struct SoftplusBackward {
  template <class A>
  CROCUTA_HOST_DEVICE A operator()(A x, A dy) const {
    return dy * math::sigmoid(x);
  }
};

// Instantiated for the floating types:
// One per line: clang-format 14 does not settle on anything else.
// clang-format off
#define CROCUTA_UNARY_FUNCTORS(X) \
  X(Affine)                       \
  X(Exp)                          \
  X(Log)                          \
  X(Sqrt)                         \
  X(Sin)                          \
  X(Cos)                          \
  X(Tanh)                         \
  X(Sigmoid)                      \
  X(Silu)                         \
  X(Gelu)                         \
  X(Relu)                         \
  X(Abs)                          \
  X(Square)                       \
  X(Pow)                          \
  X(Clamp)                        \
  X(Rsqrt)                        \
  X(Softplus)
#define CROCUTA_UNARY_BACKWARD_FUNCTORS(X) \
  X(SqrtBackward)                          \
  X(SinBackward)                           \
  X(CosBackward)                           \
  X(TanhBackward)                          \
  X(SigmoidBackward)                       \
  X(SiluBackward)                          \
  X(GeluBackward)                          \
  X(ReluBackward)                          \
  X(AbsBackward)                           \
  X(SquareBackward)                        \
  X(PowBackward)                           \
  X(ClampBackward)                         \
  X(RsqrtBackward)                         \
  X(SoftplusBackward)
// clang-format on

}  // namespace crocuta::kernels
