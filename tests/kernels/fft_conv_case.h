// FFT convolutions of all shapes and their oracle, for any device.
#pragma once

#include <cmath>
#include <random>
#include <vector>

#include "kernels/fft_conv.h"
#include "tests/kernels/device_memory.h"
#include "tests/support/catch.h"

namespace crocuta::test::fft_conv_cases {

using namespace crocuta::kernels;
using std::int64_t;

template <class T>
constexpr double unit_roundoff() {
  if constexpr (std::is_same_v<T, double>) return 0x1p-53;
  if constexpr (std::is_same_v<T, float>) return 0x1p-24;
  if constexpr (std::is_same_v<T, float16>) return 0x1p-11;
  return 0x1p-8;
}

template <class T>
std::vector<T> random_values(int64_t n, std::uint32_t seed) {
  std::mt19937 generator(seed);
  std::uniform_real_distribution<float> uniform(-1, 1);
  std::vector<T> x(static_cast<std::size_t>(n));
  for (T& v : x) v = T(uniform(generator));
  return x;
}

template <class T>
std::vector<double> widened(const std::vector<T>& x) {
  std::vector<double> y;
  for (const T v : x) y.push_back(static_cast<double>(static_cast<accumulator_t<T>>(v)));
  return y;
}

// All operands and results of one case.
template <class Device, class T>
struct Problem {
  using R = accumulator_t<T>;
  Problem(bool gated, int64_t B, int64_t C, int64_t L)
      : gated(gated),
        B(B),
        C(C),
        L(L),
        x(random_values<T>(B * C * L * (gated ? 3 : 1), 1)),
        dy(random_values<T>(B * C * L, 2)),
        y(dy.size()),
        dx(x.size()),
        k(random_values<R>(C * L, 3)),
        skip(random_values<R>(C, 4)),
        dk(k.size()),
        dskip(skip.size()) {}

  void forward(bool with_skip = true) {
    const auto run = gated ? hyena_conv_forward<Device, T> : fft_conv_forward<Device, T>;
    const OnDevice<Device, T> in(x);
    const OnDevice<Device, R> taps(k), d(skip);
    OnDevice<Device, T> out(y);
    Workspace<Device> scratch(fft_conv_workspace_bytes<Device, T>(B, C, L));
    run(B, C, L, in.data(), taps.data(), with_skip ? d.data() : nullptr, out.data(), scratch.data(),
        nullptr);
    y = out.values();
  }
  void backward(bool with_skip = true, bool want_dx = true, bool want_dk = true,
                bool want_dskip = true) {
    const auto run = gated ? hyena_conv_backward<Device, T> : fft_conv_backward<Device, T>;
    const OnDevice<Device, T> in(x), grad(dy);
    const OnDevice<Device, R> taps(k), d(skip);
    OnDevice<Device, T> out(dx);
    OnDevice<Device, R> taps_out(dk), d_out(dskip);
    Workspace<Device> scratch(fft_conv_workspace_bytes<Device, T>(B, C, L));
    run(B, C, L, in.data(), taps.data(), with_skip ? d.data() : nullptr, grad.data(),
        want_dx ? out.data() : nullptr, want_dk ? taps_out.data() : nullptr,
        want_dskip ? d_out.data() : nullptr, scratch.data(), nullptr);
    dx = out.values();
    dk = taps_out.values();
    dskip = d_out.values();
  }
  void run() {
    forward();
    backward();
  }

  bool gated;
  int64_t B, C, L;
  std::vector<T> x, dy, y, dx;
  std::vector<R> k, skip, dk, dskip;
};

// The same by the sums that define it, in double.
struct Expected {
  std::vector<double> y, dx, dk, dskip;
};

template <class Device, class T>
Expected direct(const Problem<Device, T>& p) {
  const int64_t B = p.B, C = p.C, L = p.L;
  const std::vector<double> x = widened(p.x), dy = widened(p.dy), k = widened(p.k),
                            skip = widened(p.skip);
  Expected e{std::vector<double>(p.y.size()), std::vector<double>(p.dx.size()),
             std::vector<double>(p.dk.size()), std::vector<double>(p.dskip.size())};
  for (int64_t b = 0; b < B; ++b) {
    for (int64_t c = 0; c < C; ++c) {
      const double *x0 = nullptr, *x1 = nullptr, *v = x.data() + (b * C + c) * L;
      double *dx0 = nullptr, *dx1 = nullptr, *dv = e.dx.data() + (b * C + c) * L;
      if (p.gated) {
        const int64_t at = (b * 3 * C + 3 * c) * L;
        x0 = x.data() + at, x1 = x0 + L, v = x1 + L;
        dx0 = e.dx.data() + at, dx1 = dx0 + L, dv = dx1 + L;
      }
      const auto d = skip[static_cast<std::size_t>(c)];
      std::vector<double> dz(static_cast<std::size_t>(L));
      for (int64_t t = 0; t < L; ++t) {
        const auto z = [&](int64_t s) { return p.gated ? x1[s] * v[s] : v[s]; };
        const double dyt = dy[static_cast<std::size_t>((b * C + c) * L + t)];
        const double dh = p.gated ? dyt * x0[t] : dyt;
        double h = d * z(t);
        for (int64_t j = 0; j <= t; ++j) {
          h += k[static_cast<std::size_t>(c * L + j)] * z(t - j);
          dz[static_cast<std::size_t>(t - j)] += k[static_cast<std::size_t>(c * L + j)] * dh;
          e.dk[static_cast<std::size_t>(c * L + j)] += dh * z(t - j);
        }
        dz[static_cast<std::size_t>(t)] += d * dh;
        e.dskip[static_cast<std::size_t>(c)] += dh * z(t);
        e.y[static_cast<std::size_t>((b * C + c) * L + t)] = p.gated ? x0[t] * h : h;
        if (p.gated) dx0[t] = dyt * h;
      }
      for (int64_t t = 0; t < L; ++t) {
        const double g = dz[static_cast<std::size_t>(t)];
        if (p.gated) {
          dx1[t] = g * v[t];
          dv[t] = g * x1[t];
        } else {
          dv[t] = g;
        }
      }
    }
  }
  return e;
}

// Elements are below 1 and rows have L of them, so transforms and their products are below L in
// the 2-norm; each of the log2(L) + 1 levels of the three transforms rounds a few times. The bound
// is tightest for L <= 3, whose transforms have more levels (n = 16): an FFT in float32 that was
// simulated comes to 0.45 of it.
template <class T>
void check_close(const std::vector<T>& x, const std::vector<double>& expected, int64_t L,
                 double scale = 1) {
  using R = accumulator_t<T>;
  const double levels = std::log2(static_cast<double>(L)) + 1;
  const double noise = scale * 4 * levels * unit_roundoff<R>() * static_cast<double>(L) / 3;
  const std::vector<double> actual = widened(x);
  double worst = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double rounding = std::is_same_v<T, R> ? 0 : unit_roundoff<T>() * std::abs(expected[i]);
    const double smallest = std::is_same_v<T, float16> ? 0x1p-25 : 0;
    worst = std::max(worst, std::abs(actual[i] - expected[i]) / (noise + rounding + smallest));
  }
  CAPTURE(worst);
  CHECK(worst <= 1);
}

template <class Device, class T>
void check(bool gated, int64_t B, int64_t C, int64_t L) {
  CAPTURE(gated, B, C, L);
  Problem<Device, T> p(gated, B, C, L);
  p.run();
  const Expected e = direct(p);
  check_close(p.y, e.y, L);
  check_close(p.dx, e.dx, L);
  check_close(p.dk, e.dk, L, static_cast<double>(B));
  check_close(p.dskip, e.dskip, L, static_cast<double>(B));
}

template <class Device, class T>
void check_lengths() {
  for (const bool gated : {false, true}) {
    for (const int64_t L :
         {1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 13, 16, 17, 31, 64, 101, 128, 255, 641}) {
      check<Device, T>(gated, 2, 3, L);
    }
    check<Device, T>(gated, 1, 1, 1021);
    check<Device, T>(gated, 5, 1, 30);
  }
}
template <class Device>
void check_long_rows() {
  // A kernel of two taps, so that the reference is cheap: 1e-4 relative in float32, 1e-10 in
  // float64.
  const int64_t L = 70'000;
  const auto error = [&]<class T>(T) {
    Problem<Device, T> p(false, 1, 1, L);
    std::fill(p.k.begin(), p.k.end(), T(0));
    p.k[0] = T(0.5);
    p.k[static_cast<std::size_t>(L - 2)] = T(2);
    p.run();
    double worst = 0, largest = 0;
    for (std::size_t t = 0; t < p.y.size(); ++t) {
      const std::size_t lag = static_cast<std::size_t>(L - 2);
      const double expected = static_cast<double>(p.x[t]) * (0.5 + static_cast<double>(p.skip[0])) +
                              (t >= lag ? 2 * static_cast<double>(p.x[t - lag]) : 0);
      worst = std::max(worst, std::abs(static_cast<double>(p.y[t]) - expected));
      largest = std::max(largest, std::abs(expected));
    }
    return worst / largest;
  };
  CHECK(error(float()) < 1e-5);
  CHECK(error(double()) < 1e-13);
}

template <class Device>
void check_unwanted() {
  for (const bool gated : {false, true}) {
    const int64_t B = 2, C = 3, L = 20;
    Problem<Device, double> p(gated, B, C, L);
    std::fill(p.skip.begin(), p.skip.end(), 0.0);
    p.run();
    const auto all = p;
    p.forward(false);
    CHECK(p.y == all.y);
    const auto backward = [&](bool dx, bool dk, bool dskip) {
      std::fill(p.dx.begin(), p.dx.end(), 0.0);
      std::fill(p.dk.begin(), p.dk.end(), 0.0);
      std::fill(p.dskip.begin(), p.dskip.end(), 0.0);
      p.backward(false, dx, dk, dskip);
      CHECK(p.dx == (dx ? all.dx : std::vector<double>(all.dx.size())));
      CHECK(p.dk == (dk ? all.dk : std::vector<double>(all.dk.size())));
      CHECK(p.dskip == (dskip ? all.dskip : std::vector<double>(all.dskip.size())));
    };
    for (int wanted = 0; wanted < 8; ++wanted) {
      backward((wanted & 1) != 0, (wanted & 2) != 0, (wanted & 4) != 0);
    }
  }
}

template <class Device>
void check_sizes_of_zero() {
  for (const bool gated : {false, true}) {
    Problem<Device, float> p(gated, 0, 2, 5);
    std::fill(p.dk.begin(), p.dk.end(), 1.0F);
    std::fill(p.dskip.begin(), p.dskip.end(), 1.0F);
    p.run();
    CHECK(p.dk == std::vector<float>(10, 0.0F));
    CHECK(p.dskip == std::vector<float>(2, 0.0F));
    Problem<Device, float> empty(gated, 2, 2, 0);
    std::fill(empty.dskip.begin(), empty.dskip.end(), 1.0F);
    empty.run();
    CHECK(empty.dskip == std::vector<float>(2, 0.0F));
    Problem<Device, float>(gated, 2, 0, 5).run();
  }
}

template <class Device>
void check_nan() {
  Problem<Device, float> p(false, 2, 2, 16);
  p.x[5] = NAN;
  p.run();
  for (std::size_t i = 0; i < 16; ++i) CHECK(std::isnan(p.y[i]));
  for (std::size_t i = 16; i < p.y.size(); ++i) CHECK(std::isfinite(p.y[i]));
}

}  // namespace crocuta::test::fft_conv_cases
