// What happens before, between and after the transforms of an FFT convolution.
//
// As on the CPU (kernels/cpu/fft_plan.h) the transforms are "right-angle" ones: element j of a row
// is turned by exp(i pi j / (2 n)) before and back after, so that what runs past the end of a
// product comes back as its imaginary part, and the causal convolution is the real one. So rows of
// n complex numbers do where padding would need 2 n real ones, which take no less time.
#pragma once

#include <cmath>

#include "kernels/cuda/fft_conv/fft_plan.h"
#include "kernels/cuda/toolbox/launch.h"
#include "kernels/cuda/toolbox/vector.h"

namespace crocuta::kernels {

// Rows (b, c) of a tensor, `pitch` elements apart.
template <class T>
struct Rows {
  T* first = nullptr;
  std::int64_t pitch = 0;

  template <int V>
  __device__ Vector<std::remove_const_t<T>, V> load(std::int64_t row, std::int64_t j) const {
    return load_vector<V>(first + row * pitch + j);
  }
};

// What is convolved: rows x, or x * gate.
template <class T>
struct Signal {
  Rows<const T> x, gate;

  template <int V>
  __device__ Vector<accumulator_t<T>, V> load(std::int64_t row, std::int64_t j) const {
    using R = accumulator_t<T>;
    const Vector<T, V> values = x.template load<V>(row, j);
    Vector<R, V> z;
    for (int v = 0; v < V; ++v) z[v] = static_cast<R>(values[v]);
    if (gate.first == nullptr) return z;
    const Vector<T, V> gates = gate.template load<V>(row, j);
    for (int v = 0; v < V; ++v) z[v] *= static_cast<R>(gates[v]);
    return z;
  }
};

// Rows b .. b + batch of channels c .. c + channels of all C. Spectra of a piece lie in its order,
// [batch, channels, n]; they have fewer than 2^31 elements.
struct Piece {
  std::int64_t C = 0, b = 0, c = 0;
  std::uint32_t batch = 0, channels = 0, L = 0, n = 0;

  __host__ __device__ std::uint32_t rows() const { return batch * channels; }
  // In the whole tensor.
  __device__ std::int64_t row(std::uint32_t own) const {
    return (b + own / channels) * C + c + own % channels;
  }
};

constexpr double kPi = 3.14159265358979323846;

// exp(i pi x)
__device__ inline Complex<float> turn(float x) {
  Complex<float> w;
#if defined(__CUDA_ARCH__)
  sincospif(x, &w.im, &w.re);
#else
  w.re = static_cast<float>(std::cos(kPi * static_cast<double>(x)));
  w.im = static_cast<float>(std::sin(kPi * static_cast<double>(x)));
#endif
  return w;
}
__device__ inline Complex<double> turn(double x) {
  Complex<double> w;
#if defined(__CUDA_ARCH__)
  sincospi(x, &w.im, &w.re);
#else
  w.re = std::cos(kPi * x);
  w.im = std::sin(kPi * x);
#endif
  return w;
}

template <class R>
__device__ Complex<R> multiply(Complex<R> x, Complex<R> y) {
  return {x.re * y.re - x.im * y.im, x.re * y.im + x.im * y.re};
}
// x * conj(y)
template <class R>
__device__ Complex<R> correlate(Complex<R> x, Complex<R> y) {
  return {x.re * y.re + x.im * y.im, x.im * y.re - x.re * y.im};
}

// exp(i pi (j + v) / (2 n)): what elements j .. j + V of every row are turned by.
template <int V, class R>
__device__ Vector<Complex<R>, V> turns(std::uint32_t n, std::uint32_t j) {
  const R step = R(0.5) / static_cast<R>(n);
  Vector<Complex<R>, V> w;
  for (int v = 0; v < V; ++v) w[v] = turn(static_cast<R>(j + v) * step);
  return w;
}

// Rows that a thread does the same elements of: sines cost more than all else, and its reads are
// under way together.
constexpr int kSharedRows = 4;

// Calls body(first, j) for elements j .. j + V of rows first .. first + kSharedRows of a piece whose
// rows have `length` elements.
template <int V, class Body>
__device__ void for_each_rows(const Piece& piece, std::uint32_t length, Body&& body) {
  const std::uint32_t groups = length / V;
  const std::int64_t count =
      static_cast<std::int64_t>(ceil_div(piece.rows(), kSharedRows)) * groups;
  for (std::int64_t i = grid_index(); i < count; i += grid_stride()) {
    const std::uint32_t block = static_cast<std::uint32_t>(i) / groups;
    body(block * kSharedRows, (static_cast<std::uint32_t>(i) - block * groups) * V);
  }
}

// a = scale * signal, turned, and zero from L on.
template <int V, class T, class R>
__global__ void __launch_bounds__(kBlockThreads)
    fft_load_kernel(Piece piece, Signal<T> signal, R scale, Complex<R>* a) {
  for_each_rows<V>(piece, piece.n, [&](std::uint32_t first, std::uint32_t j) {
    Vector<R, V> z[kSharedRows] = {};
    Vector<Complex<R>, V> w = {};
    if (j < piece.L) {
#pragma unroll
      for (int r = 0; r < kSharedRows; ++r) {
        if (first + r < piece.rows()) z[r] = signal.template load<V>(piece.row(first + r), j);
      }
      w = turns<V, R>(piece.n, j);
    }
#pragma unroll
    for (int r = 0; r < kSharedRows; ++r) {
      if (first + r >= piece.rows()) return;
      Vector<Complex<R>, V> out;
      for (int v = 0; v < V; ++v) out[v] = {scale * z[r][v] * w[v].re, scale * z[r][v] * w[v].im};
      store_vector<V>(a + static_cast<std::int64_t>(first + r) * piece.n + j, out);
    }
  });
}

// The inverse of this turning, of the real part that is wanted, for rows first .. first + kSharedRows.
template <int V, class R>
struct TurnedBack {
  __device__ TurnedBack(const Piece& piece, const Complex<R>* a, std::uint32_t first,
                        std::uint32_t j) {
#pragma unroll
    for (int r = 0; r < kSharedRows; ++r) {
      if (first + r >= piece.rows()) continue;
      in[r] = load_vector<V>(a + static_cast<std::int64_t>(first + r) * piece.n + j);
    }
    w = turns<V, R>(piece.n, j);
  }
  __device__ Vector<R, V> operator[](int r) const {
    Vector<R, V> x;
    for (int v = 0; v < V; ++v) x[v] = in[r][v].re * w[v].re + in[r][v].im * w[v].im;
    return x;
  }

  Vector<Complex<R>, V> in[kSharedRows] = {}, w;
};

// y = (scale * conv + skip * z) * outer; without skip or outer if these are null.
template <int V, class T, class R>
__global__ void __launch_bounds__(kBlockThreads)
    fft_store_kernel(Piece piece, const Complex<R>* a, R scale, const R* skip, Signal<T> signal,
                     Rows<const T> outer, Rows<T> y) {
  for_each_rows<V>(piece, piece.L, [&](std::uint32_t first, std::uint32_t j) {
    const TurnedBack<V, R> conv(piece, a, first, j);
#pragma unroll
    for (int r = 0; r < kSharedRows; ++r) {
      if (first + r >= piece.rows()) return;
      const std::int64_t row = piece.row(first + r);
      Vector<R, V> h = conv[r];
      for (int v = 0; v < V; ++v) h[v] *= scale;
      if (skip != nullptr) {
        const R d = skip[row % piece.C];
        const Vector<R, V> z = signal.template load<V>(row, j);
        for (int v = 0; v < V; ++v) h[v] += d * z[v];
      }
      if (outer.first != nullptr) {
        const Vector<T, V> gates = outer.template load<V>(row, j);
        for (int v = 0; v < V; ++v) h[v] *= static_cast<R>(gates[v]);
      }
      Vector<T, V> result;
      for (int v = 0; v < V; ++v) result[v] = T(h[v]);
      store_vector<V>(y.first + row * y.pitch + j, result);
    }
  });
}

// With dz = corr + skip * dh, z = v * gate: dgate = dz * v and dv = dz * gate.
template <int V, class T, class R>
__global__ void __launch_bounds__(kBlockThreads)
    fft_store_gates_kernel(Piece piece, const Complex<R>* a, const R* skip, Signal<T> dh,
                           Signal<T> z, Rows<T> dgate, Rows<T> dv) {
  for_each_rows<V>(piece, piece.L, [&](std::uint32_t first, std::uint32_t j) {
    const TurnedBack<V, R> corr(piece, a, first, j);
#pragma unroll
    for (int r = 0; r < kSharedRows; ++r) {
      if (first + r >= piece.rows()) return;
      const std::int64_t row = piece.row(first + r);
      Vector<R, V> dz = corr[r];
      if (skip != nullptr) {
        const R d = skip[row % piece.C];
        const Vector<R, V> grad = dh.template load<V>(row, j);
        for (int v = 0; v < V; ++v) dz[v] += d * grad[v];
      }
      const Vector<T, V> gates = z.gate.template load<V>(row, j);
      const Vector<T, V> values = z.x.template load<V>(row, j);
      Vector<T, V> to_gate, to_value;
      for (int v = 0; v < V; ++v) {
        to_gate[v] = T(dz[v] * static_cast<R>(values[v]));
        to_value[v] = T(dz[v] * static_cast<R>(gates[v]));
      }
      store_vector<V>(dgate.first + row * dgate.pitch + j, to_gate);
      store_vector<V>(dv.first + row * dv.pitch + j, to_value);
    }
  });
}

// Complex numbers in one access of 16 bytes.
template <class R>
inline constexpr int kPairs = 16 / static_cast<int>(sizeof(Complex<R>));

// a = a * k for every row of the batch. k [channels, n]
template <class R>
__global__ void __launch_bounds__(kBlockThreads)
    fft_multiply_kernel(Piece piece, const Complex<R>* k, Complex<R>* a) {
  constexpr int V = kPairs<R>;
  const std::uint32_t count = piece.rows() * (piece.n / V);
  const std::uint32_t period = piece.channels * (piece.n / V);
  for (std::int64_t i = grid_index(); i < count; i += grid_stride()) {
    const auto factor = load_vector<V>(k + static_cast<std::uint32_t>(i) % period * V);
    auto x = load_vector<V>(a + i * V);
    for (int v = 0; v < V; ++v) x[v] = multiply(x[v], factor[v]);
    store_vector<V>(a + i * V, x);
  }
}

// What the backward pass makes of the spectra of z and dh. Null: not wanted.
template <class R>
struct BackwardSpectra {
  const Complex<R>* k;  // [channels, n]
  Complex<R>* z;        // [batch, channels, n]; becomes z * k if want_conv
  Complex<R>* dh;       // the same; becomes dh * conj(k) if want_dz
  Complex<R>* dk;       // [channels, n] += the sum over the batch of dh * conj(z); or null
  bool want_conv, want_dz;
};

template <class R>
__global__ void __launch_bounds__(kBlockThreads)
    fft_backward_kernel(Piece piece, BackwardSpectra<R> s) {
  constexpr int V = kPairs<R>;
  const std::int64_t period = static_cast<std::int64_t>(piece.channels) * piece.n;
  for (std::int64_t i = grid_index() * V; i < period; i += grid_stride() * V) {
    Vector<Complex<R>, V> k = {}, sum = {};
    if (s.want_conv || s.want_dz) k = load_vector<V>(s.k + i);
    if (s.dk != nullptr && piece.b > 0) sum = load_vector<V>(s.dk + i);
    for (std::uint32_t b = 0; b < piece.batch; ++b) {
      const std::int64_t at = b * period + i;
      Vector<Complex<R>, V> z = {}, dh = {};
      if (s.want_conv || s.dk != nullptr) z = load_vector<V>(s.z + at);
      if (s.want_dz || s.dk != nullptr) dh = load_vector<V>(s.dh + at);
      for (int v = 0; v < V; ++v) {
        const Complex<R> product = correlate(dh[v], z[v]);
        sum[v].re += product.re;
        sum[v].im += product.im;
        z[v] = multiply(z[v], k[v]);
        dh[v] = correlate(dh[v], k[v]);
      }
      if (s.want_conv) store_vector<V>(s.z + at, z);
      if (s.want_dz) store_vector<V>(s.dh + at, dh);
    }
    if (s.dk != nullptr) store_vector<V>(s.dk + i, sum);
  }
}

}  // namespace crocuta::kernels
