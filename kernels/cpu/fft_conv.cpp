// One row at a time: load and weigh, transform, multiply, transform back, store, while the row is
// in cache. A thread owns whole channels with all their batch rows, so that the kernel's spectrum
// is computed once per channel, and dk and dskip are summed over the batch in order.
#include "kernels/fft_conv.h"

#include <algorithm>

#include "kernels/cpu/fft_butterflies.h"
#include "kernels/cpu/fft_plan.h"
#include "kernels/cpu/parallel.h"

namespace crocuta::kernels {
namespace {

using std::int64_t;

// What a thread needs while it works on a channel: spectra, and rows of n numbers, the input ones
// zero from L on.
template <class R>
struct Scratch {
  R *kernel, *spectrum, *sum, *product, *z, *dh, *conv;

  static int64_t elements(int64_t L) {
    return 4 * right_angle_spectrum_size(L) + 3 * right_angle_fft_size(L);
  }

  Scratch(R* memory, int64_t L) {
    const int64_t size = right_angle_spectrum_size(L), n = right_angle_fft_size(L);
    for (R** part : {&kernel, &spectrum, &sum, &product}) {
      *part = memory;
      memory += size;
    }
    for (R** row : {&z, &dh, &conv}) {
      *row = memory;
      memory += n;
    }
    std::fill(z + L, z + n, R(0));
    std::fill(dh + L, dh + n, R(0));
  }
};

// Calls f(channel, scratch) for every channel, each thread with scratch memory of its own.
template <class R, class F>
void for_each_channel(int64_t C, int64_t L, void* workspace, F&& f) {
  parallel_for_slots(C, 1, [&](int slot, int64_t begin, int64_t end) {
    const Scratch<R> scratch(static_cast<R*>(workspace) + slot * Scratch<R>::elements(L), L);
    for (int64_t c = begin; c < end; ++c) f(c, scratch);
  });
}

// Element number `at`, and those beside it, of a spectrum. They are laid out as FftPlan says: 16
// real parts, then their imaginary parts.
template <class R>
using Elements = fft::Complex<simd::Vector<R>>;
template <class R>
CROCUTA_INLINE Elements<R> get(const R* spectrum, int64_t at) {
  return {simd::load(spectrum + at), simd::load(spectrum + at + 16)};
}
template <class R>
CROCUTA_INLINE void put(R* spectrum, int64_t at, Elements<R> z) {
  simd::store(spectrum + at, z.re);
  simd::store(spectrum + at + 16, z.im);
}

// f(at) for the elements of a piece, as many at a time as get() takes.
template <class R, class F>
CROCUTA_INLINE void for_elements(int64_t begin, int64_t end, F&& f) {
  for (int64_t row = begin; row < end; row += 32) {
    for (int64_t at = row; at < row + 16; at += simd::kLanes<R>) f(at);
  }
}

// The pieces' functions: product = spectrum * kernel,
template <class R>
auto multiply(const Scratch<R>& s) {
  return [s](int64_t begin, int64_t end) {
    for_elements<R>(
        begin, end, [&](int64_t at) __attribute__((always_inline)) {
          put(s.product, at, get(s.spectrum, at) * get(s.kernel, at));
        });
  };
}

// and, the product being a gradient's spectrum so far: sum += product * conj(spectrum), and product
// times conj(kernel), either only if wanted.
template <class R>
auto correlate(const Scratch<R>& s, bool with_spectrum, bool with_kernel) {
  return [=](int64_t begin, int64_t end) {
    for_elements<R>(
        begin, end, [&](int64_t at) __attribute__((always_inline)) {
          const Elements<R> gradient = get(s.product, at);
          if (with_spectrum) {
            put(s.sum, at, get(s.sum, at) + gradient * conjugate(get(s.spectrum, at)));
          }
          if (with_kernel) put(s.product, at, gradient * conjugate(get(s.kernel, at)));
        });
  };
}

template <class R>
R dot(int64_t n, const R* x, const R* y) {
  constexpr int64_t kLanes = 16;  // running sums side by side, for the vector unit
  R lane[kLanes] = {};
  int64_t j = 0;
  for (; j + kLanes <= n; j += kLanes) {
    for (int64_t l = 0; l < kLanes; ++l) lane[l] = simd::multiply_add(x[j + l], y[j + l], lane[l]);
  }
  for (int64_t l = 0; j < n; ++j, ++l) lane[l] = simd::multiply_add(x[j], y[j], lane[l]);
  R sum = 0;
  for (const R part : lane) sum += part;
  return sum;
}

// The rows that belong to output row (b, c): `v` is convolved after multiplication by `gate`, and
// the result multiplied by `outer`. Without gates there is only v.
template <class T>
struct Streams {
  T* outer = nullptr;
  T* gate = nullptr;
  T* v = nullptr;
};

template <bool Gated, class T>
Streams<T> streams(T* base, int64_t C, int64_t L, int64_t b, int64_t c) {
  if (base == nullptr) return {};
  if constexpr (!Gated) return {nullptr, nullptr, base + (b * C + c) * L};
  T* x0 = base + (b * C + c) * 3 * L;
  return {x0, x0 + L, x0 + 2 * L};
}

// z = x, or x * gate.
template <bool Gated, class T, class R>
void load(int64_t L, const T* __restrict x, const T* __restrict gate, R* __restrict z) {
  for (int64_t j = 0; j < L; ++j) {
    z[j] = static_cast<R>(x[j]);
    if constexpr (Gated) z[j] *= static_cast<R>(gate[j]);
  }
}

// y = (conv + d * z) * gate
template <bool Gated, class T, class R>
void store(int64_t L, const R* __restrict conv, R d, const R* __restrict z,
           const T* __restrict gate, T* __restrict y) {
  for (int64_t j = 0; j < L; ++j) {
    R h = simd::multiply_add(d, z[j], conv[j]);
    if constexpr (Gated) h *= static_cast<R>(gate[j]);
    y[j] = T(h);
  }
}

// dgate = dz * v and dv = dz * gate, where dz = corr + d * dh.
template <class T, class R>
void store_gate_gradients(int64_t L, const R* __restrict corr, R d, const R* __restrict dh,
                          const T* __restrict v, const T* __restrict gate, T* __restrict dgate,
                          T* __restrict dv) {
  for (int64_t j = 0; j < L; ++j) {
    const R dz = simd::multiply_add(d, dh[j], corr[j]);
    dgate[j] = T(dz * static_cast<R>(v[j]));
    dv[j] = T(dz * static_cast<R>(gate[j]));
  }
}

// The spectrum of a channel's kernel, divided by n to make up for the inverse transforms.
template <class R>
void transform_kernel(const RightAngleFft<R>& fft, int64_t L, const R* k, const Scratch<R>& s) {
  const R scale = R(1) / static_cast<R>(fft.n());
  for (int64_t j = 0; j < L; ++j) s.z[j] = k[j] * scale;
  fft.forward(s.z, s.kernel);
}

template <bool Gated, class T, class R>
void forward(int64_t B, int64_t C, int64_t L, const T* x, const R* k, const R* skip, T* y,
             void* workspace) {
  if (B == 0 || L == 0) return;
  const RightAngleFft<R>& fft = right_angle_fft<R>(L);
  for_each_channel<R>(C, L, workspace, [&](int64_t c, const Scratch<R>& s) {
    transform_kernel(fft, L, k + c * L, s);
    const R d = skip == nullptr ? R(0) : skip[c];
    for (int64_t b = 0; b < B; ++b) {
      const Streams<const T> in = streams<Gated>(x, C, L, b, c);
      load<Gated>(L, in.v, in.gate, s.z);
      fft.through(s.z, s.spectrum, s.product, s.conv, multiply(s));
      store<Gated>(L, s.conv, d, s.z, in.outer, y + (b * C + c) * L);
    }
  });
}

template <bool Gated, class T, class R>
void backward(int64_t B, int64_t C, int64_t L, const T* x, const R* k, const R* skip, const T* dy,
              T* dx, R* dk, R* dskip, void* workspace) {
  if (L == 0) {
    if (dskip != nullptr) std::fill(dskip, dskip + C, R(0));
    return;
  }
  const RightAngleFft<R>& fft = right_angle_fft<R>(L);
  const bool want_outer = Gated && dx != nullptr;
  for_each_channel<R>(C, L, workspace, [&](int64_t c, const Scratch<R>& s) {
    transform_kernel(fft, L, k + c * L, s);
    std::fill(s.sum, s.sum + fft.spectrum_size(), R(0));
    const R d = skip == nullptr ? R(0) : skip[c];
    double skip_sum = 0;
    for (int64_t b = 0; b < B; ++b) {
      const Streams<const T> in = streams<Gated>(x, C, L, b, c);
      const Streams<T> out = streams<Gated>(dx, C, L, b, c);
      const T* dy_row = dy + (b * C + c) * L;
      load<Gated>(L, in.v, in.gate, s.z);
      load<Gated>(L, dy_row, in.outer, s.dh);
      skip_sum += static_cast<double>(dot(L, s.dh, s.z));
      if (want_outer) {
        fft.through(s.z, s.spectrum, s.product, s.conv, multiply(s));
        store<true>(L, s.conv, d, s.z, dy_row, out.outer);
      } else if (dk != nullptr) {
        fft.forward(s.z, s.spectrum);
      }
      if (dk == nullptr && dx == nullptr) continue;
      fft.through(s.dh, s.product, s.product, dx == nullptr ? nullptr : s.conv,
                  correlate(s, dk != nullptr, dx != nullptr));
      if (dx == nullptr) continue;
      if constexpr (Gated) {
        store_gate_gradients(L, s.conv, d, s.dh, in.v, in.gate, out.gate, out.v);
      } else {
        store<false, T>(L, s.conv, d, s.dh, nullptr, out.v);
      }
    }
    if (dskip != nullptr) dskip[c] = static_cast<R>(skip_sum);
    if (dk == nullptr) return;
    fft.inverse(s.sum, s.conv);
    for (int64_t j = 0; j < L; ++j) dk[c * L + j] = s.conv[j] / static_cast<R>(fft.n());
  });
}
}  // namespace

template <class Device, class T>
std::size_t fft_conv_workspace_bytes(int64_t, int64_t, int64_t L) {
  using R = accumulator_t<T>;
  return sizeof(R) * static_cast<std::size_t>(thread_count() * Scratch<R>::elements(L));
}

template <class Device, class T>
void fft_conv_forward(int64_t B, int64_t C, int64_t L, const T* z, const accumulator_t<T>* k,
                      const accumulator_t<T>* skip, T* y, void* workspace, Stream) {
  forward<false>(B, C, L, z, k, skip, y, workspace);
}

template <class Device, class T>
void fft_conv_backward(int64_t B, int64_t C, int64_t L, const T* z, const accumulator_t<T>* k,
                       const accumulator_t<T>* skip, const T* dy, T* dz, accumulator_t<T>* dk,
                       accumulator_t<T>* dskip, void* workspace, Stream) {
  backward<false>(B, C, L, z, k, skip, dy, dz, dk, dskip, workspace);
}

template <class Device, class T>
void hyena_conv_forward(int64_t B, int64_t C, int64_t L, const T* u, const accumulator_t<T>* k,
                        const accumulator_t<T>* skip, T* y, void* workspace, Stream) {
  forward<true>(B, C, L, u, k, skip, y, workspace);
}

template <class Device, class T>
void hyena_conv_backward(int64_t B, int64_t C, int64_t L, const T* u, const accumulator_t<T>* k,
                         const accumulator_t<T>* skip, const T* dy, T* du, accumulator_t<T>* dk,
                         accumulator_t<T>* dskip, void* workspace, Stream) {
  backward<true>(B, C, L, u, k, skip, dy, du, dk, dskip, workspace);
}

#define CROCUTA_INSTANTIATE(T)                                                                   \
  template std::size_t fft_conv_workspace_bytes<Cpu, T>(int64_t, int64_t, int64_t);              \
  template void fft_conv_forward<Cpu, T>(int64_t, int64_t, int64_t, const T*,                    \
                                         const accumulator_t<T>*, const accumulator_t<T>*, T*,   \
                                         void*, Stream);                                         \
  template void fft_conv_backward<Cpu, T>(                                                       \
      int64_t, int64_t, int64_t, const T*, const accumulator_t<T>*, const accumulator_t<T>*,     \
      const T*, T*, accumulator_t<T>*, accumulator_t<T>*, void*, Stream);                        \
  template void hyena_conv_forward<Cpu, T>(int64_t, int64_t, int64_t, const T*,                  \
                                           const accumulator_t<T>*, const accumulator_t<T>*, T*, \
                                           void*, Stream);                                       \
  template void hyena_conv_backward<Cpu, T>(                                                     \
      int64_t, int64_t, int64_t, const T*, const accumulator_t<T>*, const accumulator_t<T>*,     \
      const T*, T*, accumulator_t<T>*, accumulator_t<T>*, void*, Stream);
CROCUTA_INSTANTIATE(float)
CROCUTA_INSTANTIATE(double)
CROCUTA_INSTANTIATE(bfloat16)
CROCUTA_INSTANTIATE(float16)
#undef CROCUTA_INSTANTIATE

}  // namespace crocuta::kernels
