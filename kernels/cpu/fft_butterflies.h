// Fourier transforms of 2, 3, 4, 5, 8 and 16 points in registers, in as many lanes as V has.
//
// V is a number or a vector of them (simd.h). Multiplications whose product is added are fused by
// name, so that a lane's bits are the same in any V.
#pragma once

#include "kernels/cpu/simd.h"

namespace crocuta::kernels::fft {

template <class V>
struct Complex {
  V re, im;
};
template <class V>
CROCUTA_INLINE Complex<V> operator+(Complex<V> a, Complex<V> b) {
  return {a.re + b.re, a.im + b.im};
}
template <class V>
CROCUTA_INLINE Complex<V> operator-(Complex<V> a, Complex<V> b) {
  return {a.re - b.re, a.im - b.im};
}
template <class V>
CROCUTA_INLINE Complex<V> times_i(Complex<V> a) {
  return {-a.im, a.re};
}
template <class V>
CROCUTA_INLINE Complex<V> operator*(Complex<V> a, Complex<V> b) {
  return {simd::multiply_add(-a.im, b.im, a.re * b.re),
          simd::multiply_add(a.im, b.re, a.re * b.im)};
}

template <class V>
CROCUTA_INLINE Complex<V> conjugate(Complex<V> a) {
  return {a.re, -a.im};
}

// What transforms are computed in. A register has 16 bytes where there is no AVX, and compilers are
// slow with vectors that have more than one.
#if defined(__AVX__)
template <class R>
using Lanes = simd::Vector<R>;
#else
template <class R>
using Lanes = typename simd::VectorOf<R, 16>::type;
#endif

template <class V, class R>
CROCUTA_INLINE V splat(R value) {
  return [&]<int... I>(std::integer_sequence<int, I...>) __attribute__((always_inline)) {
    return V{((void)I, value)...};
  }
  (std::make_integer_sequence<int, sizeof(V) / sizeof(R)>());
}

// x * a and a + x * b, x real.
template <class R, class V>
CROCUTA_INLINE Complex<V> scaled(R x, Complex<V> a) {
  return {splat<V>(x) * a.re, splat<V>(x) * a.im};
}
template <class R, class V>
CROCUTA_INLINE Complex<V> add_scaled(Complex<V> a, R x, Complex<V> b) {
  return {simd::multiply_add(splat<V>(x), b.re, a.re), simd::multiply_add(splat<V>(x), b.im, a.im)};
}

// dft<Points, R>(load, save): calls save(k, sum over s of load(s) exp(2 pi i s k / Points)) for all
// k, loading no sooner and saving no later than it must: registers are few. The inverse is the same
// on numbers whose real and imaginary parts are exchanged, which makes them i times the conjugates.

template <class V>
CROCUTA_INLINE void dft4(Complex<V>& z0, Complex<V>& z1, Complex<V>& z2, Complex<V>& z3) {
  const Complex<V> even = z0 + z2, odd = z1 + z3, rest = z0 - z2, turned = times_i(z1 - z3);
  z0 = even + odd;
  z1 = rest + turned;
  z2 = even - odd;
  z3 = rest - turned;
}

template <class R, class Load, class Save>
CROCUTA_INLINE void dft2(Load load, Save save) {
  const auto a = load(0), b = load(1);
  save(0, a + b);
  save(1, a - b);
}

template <class R, class Load, class Save>
CROCUTA_INLINE void dft3(Load load, Save save) {
  const auto z0 = load(0), z1 = load(1), z2 = load(2), sum = z1 + z2, turned = times_i(z1 - z2);
  const auto middle = add_scaled(z0, R(-0.5), sum);
  const R sine = R(0x1.bb67ae8584caap-1);  // of a third of a turn
  save(0, z0 + sum);
  save(1, add_scaled(middle, sine, turned));
  save(2, add_scaled(middle, -sine, turned));
}

template <class R, class Load, class Save>
CROCUTA_INLINE void dft4(Load load, Save save) {
  auto z0 = load(0), z1 = load(1), z2 = load(2), z3 = load(3);
  dft4(z0, z1, z2, z3);
  save(0, z0);
  save(1, z1);
  save(2, z2);
  save(3, z3);
}

template <class R, class Load, class Save>
CROCUTA_INLINE void dft5(Load load, Save save) {
  // Cosines and sines of one and two fifths of a turn.
  const R c1 = R(0x1.3c6ef372fe95p-2), c2 = R(-0x1.9e3779b97f4a8p-1);
  const R s1 = R(0x1.e6f0e134454ffp-1), s2 = R(0x1.2cf2304755a5ep-1);
  const auto z0 = load(0), z1 = load(1), z4 = load(4), z2 = load(2), z3 = load(3);
  const auto sum1 = z1 + z4, sum2 = z2 + z3;
  const auto turned1 = times_i(z1 - z4), turned2 = times_i(z2 - z3);
  const auto even1 = add_scaled(add_scaled(z0, c1, sum1), c2, sum2);
  const auto even2 = add_scaled(add_scaled(z0, c2, sum1), c1, sum2);
  const auto odd1 = add_scaled(scaled(s1, turned1), s2, turned2);
  const auto odd2 = add_scaled(scaled(s2, turned1), -s1, turned2);
  save(0, z0 + (sum1 + sum2));
  save(1, even1 + odd1);
  save(2, even2 + odd2);
  save(3, even2 - odd2);
  save(4, even1 - odd1);
}

// sqrt(1/2), also the cosine and sine of an eighth of a turn.
inline constexpr double kHalfRoot = 0x1.6a09e667f3bcdp-1;

template <class R, class Load, class Save>
CROCUTA_INLINE void dft8(Load load, Save save) {
  auto even0 = load(0), even1 = load(2), even2 = load(4), even3 = load(6);
  dft4(even0, even1, even2, even3);
  auto odd0 = load(1), odd1 = load(3), odd2 = load(5), odd3 = load(7);
  dft4(odd0, odd1, odd2, odd3);
  // The odd half is turned by 0 to 3 eighths of a turn, which takes a factor h of two of them.
  const R h = R(kHalfRoot);
  save(0, even0 + odd0);
  save(4, even0 - odd0);
  odd1 = odd1 + times_i(odd1);
  save(1, add_scaled(even1, h, odd1));
  save(5, add_scaled(even1, -h, odd1));
  odd2 = times_i(odd2);
  save(2, even2 + odd2);
  save(6, even2 - odd2);
  odd3 = times_i(odd3) - odd3;
  save(3, add_scaled(even3, h, odd3));
  save(7, add_scaled(even3, -h, odd3));
}

// z times exp(2 pi i Sixteenths / 16).
template <int Sixteenths, class R, class V>
CROCUTA_INLINE Complex<V> turn(Complex<V> z) {
  constexpr double kCos[3] = {0x1.d906bcf328d46p-1, kHalfRoot, 0x1.87de2a6aea963p-2};
  if constexpr (Sixteenths == 0) {
    return z;
  } else if constexpr (Sixteenths >= 4) {
    return times_i(turn<Sixteenths - 4, R>(z));
  } else if constexpr (Sixteenths == 2) {
    const V h = splat<V>(R(kHalfRoot));
    return {h * (z.re - z.im), h * (z.re + z.im)};
  } else {
    return z * Complex<V>{splat<V>(R(kCos[Sixteenths - 1])), splat<V>(R(kCos[3 - Sixteenths]))};
  }
}

// Four times four: `between` keeps what is in between, by number.
template <class R, class Load, class Save, class V>
CROCUTA_INLINE void dft16(Load load, Save save, Complex<V> (&between)[16]) {
  simd::unroll<4>([&](auto b) __attribute__((always_inline)) {
    constexpr int B = b;
    auto z0 = load(B), z1 = load(4 + B), z2 = load(8 + B), z3 = load(12 + B);
    dft4(z0, z1, z2, z3);
    between[B] = z0;
    between[4 + B] = turn<B, R>(z1);
    between[8 + B] = turn<2 * B, R>(z2);
    between[12 + B] = turn<3 * B, R>(z3);
  });
  simd::unroll<4>([&](auto k) __attribute__((always_inline)) {
    constexpr int K = k;
    auto z0 = between[4 * K], z1 = between[4 * K + 1], z2 = between[4 * K + 2],
         z3 = between[4 * K + 3];
    dft4(z0, z1, z2, z3);
    save(K, z0);
    save(K + 4, z1);
    save(K + 8, z2);
    save(K + 12, z3);
  });
}

template <int Points, class R, class Load, class Save>
CROCUTA_INLINE void dft(Load load, Save save) {
  if constexpr (Points == 2) dft2<R>(load, save);
  if constexpr (Points == 3) dft3<R>(load, save);
  if constexpr (Points == 4) dft4<R>(load, save);
  if constexpr (Points == 5) dft5<R>(load, save);
  if constexpr (Points == 8) dft8<R>(load, save);
  if constexpr (Points == 16) {
    decltype(load(0)) between[16];
    dft16<R>(load, save, between);
  }
}

}  // namespace crocuta::kernels::fft
