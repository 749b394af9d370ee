// Signals are gated and turned as they are loaded (fft_conv_kernels.h), transformed by cuFFT,
// multiplied, transformed back, and gated again as they are stored: piece by piece, so that scratch
// memory stays bounded and spectra stay in cache from one kernel to the next.
#include "kernels/fft_conv.h"

#include <cstdlib>

#include "kernels/copy.h"
#include "kernels/cuda/channel_sum.h"
#include "kernels/cuda/fft_conv/fft_conv_kernels.h"
#include "kernels/cuda/fft_conv/fft_conv_plan.h"

namespace crocuta::kernels {
namespace {

using std::int64_t;

template <class R>
FftConvPlan plan_of(int64_t B, int64_t C, int64_t L) {
  static const std::size_t budget = fft_piece_bytes(std::getenv("CROCUTA_FFT_PIECE_MIB"));
  return fft_conv_plan(B, C, L, sizeof(Complex<R>), budget);
}

// The tensors of a call, with or without gates.
template <class T>
struct Operands {
  using R = accumulator_t<T>;
  int64_t B, C, L;
  Signal<T> z;          // what is convolved
  Rows<const T> outer;  // what the result is multiplied by, or null
  const R* k;
  const R* skip;
};

template <class T>
Operands<T> plain(int64_t B, int64_t C, int64_t L, const T* z, const accumulator_t<T>* k,
                  const accumulator_t<T>* skip) {
  return {B, C, L, {{z, L}, {}}, {}, k, skip};
}
// u [B, 3C, L], its streams x0, x1, v.
template <class T>
Operands<T> gated(int64_t B, int64_t C, int64_t L, const T* u, const accumulator_t<T>* k,
                  const accumulator_t<T>* skip) {
  return {B, C, L, {{u + 2 * L, 3 * L}, {u + L, 3 * L}}, {u, 3 * L}, k, skip};
}

// Scratch memory: spectra, cuFFT's work area, partial sums of dskip.
template <class R>
struct Workspace {
  Workspace(const FftConvPlan& plan, int64_t B, int64_t C, int64_t L, void* memory)
      : begin(reinterpret_cast<std::uintptr_t>(memory)), end((begin + 255) / 256 * 256) {
    const int64_t row = plan.n * static_cast<int64_t>(sizeof(Complex<R>));
    kernel = take<Complex<R>>(plan.channels * row);
    sum = take<Complex<R>>(plan.channels * row);
    z = take<Complex<R>>(plan.batch * plan.channels * row);
    dh = take<Complex<R>>(plan.batch * plan.channels * row);
    skip_parts = take<double>(C * channel_sum_parts(B, C, L) * int64_t{sizeof(double)});
    // Pieces at the ends are smaller, and cuFFT's needs need not grow with the number of rows.
    std::size_t most = 0;
    for (const int64_t channels : {plan.channels, (C - 1) % plan.channels + 1}) {
      for (const int64_t batch : {int64_t{1}, plan.batch, (B - 1) % plan.batch + 1}) {
        most = std::max(most, cuda_fft_work_bytes<R>(plan.n, channels * batch));
      }
    }
    work = take<char>(static_cast<int64_t>(most));
  }

  // With the 255 bytes that a pointer aligned to less may cost.
  std::size_t bytes() const { return end - begin + 255; }

  template <class X>
  X* take(int64_t size) {
    X* const part = reinterpret_cast<X*>(end);
    end += (static_cast<std::uintptr_t>(size) + 255) / 256 * 256;
    return part;
  }

  std::uintptr_t begin, end;
  Complex<R>*kernel, *sum, *z, *dh;
  double* skip_parts;
  char* work;
};

// V terms of dskip = the sum over batch and length of dh * z.
template <int V, class T>
struct SkipTerms {
  using R = accumulator_t<T>;
  Signal<T> dh, z;
  struct Raw {
    Vector<R, V> dh, z;
  };
  __device__ Raw raw(int64_t row, int64_t group) const {
    return {dh.template load<V>(row, group * V), z.template load<V>(row, group * V)};
  }
  __device__ R value(const Raw& raw) const {
    R sum = 0;
    for (int v = 0; v < V; ++v) sum += raw.dh[v] * raw.z[v];
    return sum;
  }
};

// The kernels and transforms of one call, on one stream.
template <class T>
struct Convolution {
  using R = accumulator_t<T>;
  static constexpr int V = 4;  // elements per thread

  Convolution(const char* name, const Operands<T>& x, void* memory, Stream stream)
      : name(name),
        x(x),
        plan(plan_of<R>(x.B, x.C, x.L)),
        s(plan, x.B, x.C, x.L, memory),
        stream(stream) {}

  // Calls f(piece) for all pieces, those of a channel in order of the batch, with before(piece)
  // ahead of the first and after(piece) behind the last.
  template <class F, class Before, class After>
  void for_each_piece(F&& f, Before&& before, After&& after) const {
    Piece piece;
    piece.C = x.C;
    piece.L = static_cast<std::uint32_t>(x.L);
    piece.n = static_cast<std::uint32_t>(plan.n);
    for (piece.c = 0; piece.c < x.C; piece.c += plan.channels) {
      piece.channels = static_cast<std::uint32_t>(std::min(plan.channels, x.C - piece.c));
      Piece channels = piece;  // of k or dk, which have no batch
      channels.b = 0;
      channels.batch = 1;
      before(channels);
      for (piece.b = 0; piece.b < x.B; piece.b += plan.batch) {
        piece.batch = static_cast<std::uint32_t>(std::min(plan.batch, x.B - piece.b));
        f(piece);
      }
      after(channels);
    }
  }

  // True if every row of `rows` (null ones included) can be read V elements at a time.
  template <class X>
  static bool fits(const Rows<X>& rows) {
    return is_aligned(rows.first, V * sizeof(X)) && rows.pitch % V == 0;
  }
  template <class X>
  static bool fits(const Signal<X>& signal) {
    return fits(signal.x) && fits(signal.gate);
  }
  LaunchConfig grid(const Piece& piece, std::uint32_t length, bool vectors) const {
    return grid_for(ceil_div(static_cast<int64_t>(piece.rows()), kSharedRows) *
                    (vectors ? length / V : length));
  }

  template <class X>
  void load(const Piece& piece, const Signal<X>& signal, R scale, Complex<R>* a) const {
    const bool vectors = x.L % V == 0 && fits(signal);
    launch(name, vectors ? fft_load_kernel<V, X, R> : fft_load_kernel<1, X, R>,
           grid(piece, piece.n, vectors), stream, piece, signal, scale, a);
    transform(FftDirection::forward, piece, a);
  }

  template <class X>
  void store(const Piece& piece, Complex<R>* a, R scale, const R* skip, const Signal<X>& signal,
             const Rows<const X>& outer, const Rows<X>& y) const {
    transform(FftDirection::inverse, piece, a);
    const bool vectors = x.L % V == 0 && fits(signal) && fits(outer) && fits(y);
    launch(name, vectors ? fft_store_kernel<V, X, R> : fft_store_kernel<1, X, R>,
           grid(piece, piece.L, vectors), stream, piece, a, scale, skip, signal, outer, y);
  }

  void transform(FftDirection direction, const Piece& piece, Complex<R>* a) const {
    cuda_fft(direction, plan.n, piece.rows(), a, s.work, stream);
  }

  // The spectra of the piece's kernels, divided by n to make up for the inverse transforms.
  void load_kernel(const Piece& channels) const {
    load<R>(channels, {{x.k, x.L}, {}}, R(1) / static_cast<R>(plan.n), s.kernel);
  }

  void forward(T* y) const {
    const auto convolve = [&](const Piece& piece) {
      load(piece, x.z, R(1), s.z);
      const int64_t count = static_cast<int64_t>(piece.rows()) * plan.n / kPairs<R>;
      launch(name, fft_multiply_kernel<R>, grid_for(count), stream, piece, s.kernel, s.z);
      store(piece, s.z, R(1), x.skip, x.z, x.outer, Rows<T>{y, x.L});
    };
    for_each_piece(
        convolve, [&](const Piece& channels) { load_kernel(channels); }, [](const Piece&) {});
  }

  // dx has the layout of the signal that came in. Any of dx, dk may be null, not both.
  void backward(const T* dy, T* dx, R* dk) const {
    const bool has_gates = x.outer.first != nullptr, want_dz = dx != nullptr;
    const bool want_conv = has_gates && want_dz;
    const Signal<T> dh = gradient(dy);
    const auto differentiate = [&](const Piece& piece) {
      if (want_conv || dk != nullptr) load(piece, x.z, R(1), s.z);
      load(piece, dh, R(1), s.dh);
      const BackwardSpectra<R> spectra{s.kernel,  s.z,    s.dh, dk != nullptr ? s.sum : nullptr,
                                       want_conv, want_dz};
      const int64_t count = static_cast<int64_t>(piece.channels) * plan.n / kPairs<R>;
      launch(name, fft_backward_kernel<R>, grid_for(count), stream, piece, spectra);
      if (want_conv) store(piece, s.z, R(1), x.skip, x.z, dh.x, Rows<T>{dx, 3 * x.L});
      if (!want_dz) return;
      if (has_gates) {
        store_gates(piece, dh, Rows<T>{dx + x.L, 3 * x.L}, Rows<T>{dx + 2 * x.L, 3 * x.L});
      } else {
        store(piece, s.dh, R(1), x.skip, dh, {}, Rows<T>{dx, x.L});
      }
    };
    for_each_piece(
        differentiate,
        [&](const Piece& channels) {
          if (want_dz) load_kernel(channels);
        },
        [&](const Piece& channels) {
          if (dk == nullptr) return;
          store<R>(channels, s.sum, R(1) / static_cast<R>(plan.n), nullptr, {}, {},
                   Rows<R>{dk, x.L});
        });
  }

  // The gradient of the convolution's result.
  Signal<T> gradient(const T* dy) const { return {{dy, x.L}, x.outer}; }

  void store_gates(const Piece& piece, const Signal<T>& dh, const Rows<T>& dgate,
                   const Rows<T>& dv) const {
    transform(FftDirection::inverse, piece, s.dh);
    const bool vectors = x.L % V == 0 && fits(dh) && fits(x.z) && fits(dgate) && fits(dv);
    launch(name, vectors ? fft_store_gates_kernel<V, T, R> : fft_store_gates_kernel<1, T, R>,
           grid(piece, piece.L, vectors), stream, piece, s.dh, x.skip, dh, x.z, dgate, dv);
  }

  void sum_skip(const T* dy, R* dskip) const {
    const Signal<T> dh = gradient(dy);
    const int64_t parts = channel_sum_parts(x.B, x.C, x.L);
    if (x.L % V == 0 && fits(dh) && fits(x.z)) {
      sum_channels(name, x.B, x.C, x.L / V, parts, SkipTerms<V, T>{dh, x.z}, s.skip_parts, dskip,
                   stream);
    } else {
      sum_channels(name, x.B, x.C, x.L, parts, SkipTerms<1, T>{dh, x.z}, s.skip_parts, dskip,
                   stream);
    }
  }

  const char* name;
  Operands<T> x;
  FftConvPlan plan;
  Workspace<R> s;
  Stream stream;
};

template <class T>
void forward(const char* name, const Operands<T>& x, T* y, void* workspace, Stream stream) {
  if (x.B == 0 || x.C == 0 || x.L == 0) return;
  Convolution<T>(name, x, workspace, stream).forward(y);
}

template <class T>
void backward(const char* name, const Operands<T>& x, const T* dy, T* dx, accumulator_t<T>* dk,
              accumulator_t<T>* dskip, void* workspace, Stream stream) {
  using R = accumulator_t<T>;
  if (x.B == 0 || x.C == 0 || x.L == 0) {
    if (dk != nullptr) fill<Cuda, R>(x.C * x.L, R(0), dk, stream);
    if (dskip != nullptr) fill<Cuda, R>(x.C, R(0), dskip, stream);
    return;
  }
  const Convolution<T> convolution(name, x, workspace, stream);
  if (dskip != nullptr) convolution.sum_skip(dy, dskip);
  if (dx != nullptr || dk != nullptr) convolution.backward(dy, dx, dk);
}
}  // namespace

template <class Device, class T>
std::size_t fft_conv_workspace_bytes(int64_t B, int64_t C, int64_t L) {
  using R = accumulator_t<T>;
  if (B == 0 || C == 0 || L == 0) return 0;
  return Workspace<R>(plan_of<R>(B, C, L), B, C, L, nullptr).bytes();
}

template <class Device, class T>
void fft_conv_forward(int64_t B, int64_t C, int64_t L, const T* z, const accumulator_t<T>* k,
                      const accumulator_t<T>* skip, T* y, void* workspace, Stream stream) {
  forward("fft_conv", plain(B, C, L, z, k, skip), y, workspace, stream);
}

template <class Device, class T>
void fft_conv_backward(int64_t B, int64_t C, int64_t L, const T* z, const accumulator_t<T>* k,
                       const accumulator_t<T>* skip, const T* dy, T* dz, accumulator_t<T>* dk,
                       accumulator_t<T>* dskip, void* workspace, Stream stream) {
  backward("fft_conv", plain(B, C, L, z, k, skip), dy, dz, dk, dskip, workspace, stream);
}

template <class Device, class T>
void hyena_conv_forward(int64_t B, int64_t C, int64_t L, const T* u, const accumulator_t<T>* k,
                        const accumulator_t<T>* skip, T* y, void* workspace, Stream stream) {
  forward("hyena_conv", gated(B, C, L, u, k, skip), y, workspace, stream);
}

template <class Device, class T>
void hyena_conv_backward(int64_t B, int64_t C, int64_t L, const T* u, const accumulator_t<T>* k,
                         const accumulator_t<T>* skip, const T* dy, T* du, accumulator_t<T>* dk,
                         accumulator_t<T>* dskip, void* workspace, Stream stream) {
  backward("hyena_conv", gated(B, C, L, u, k, skip), dy, du, dk, dskip, workspace, stream);
}

#define CROCUTA_INSTANTIATE(T)                                                                    \
  template std::size_t fft_conv_workspace_bytes<Cuda, T>(int64_t, int64_t, int64_t);              \
  template void fft_conv_forward<Cuda, T>(int64_t, int64_t, int64_t, const T*,                    \
                                          const accumulator_t<T>*, const accumulator_t<T>*, T*,   \
                                          void*, Stream);                                         \
  template void fft_conv_backward<Cuda, T>(                                                       \
      int64_t, int64_t, int64_t, const T*, const accumulator_t<T>*, const accumulator_t<T>*,      \
      const T*, T*, accumulator_t<T>*, accumulator_t<T>*, void*, Stream);                         \
  template void hyena_conv_forward<Cuda, T>(int64_t, int64_t, int64_t, const T*,                  \
                                            const accumulator_t<T>*, const accumulator_t<T>*, T*, \
                                            void*, Stream);                                       \
  template void hyena_conv_backward<Cuda, T>(                                                     \
      int64_t, int64_t, int64_t, const T*, const accumulator_t<T>*, const accumulator_t<T>*,      \
      const T*, T*, accumulator_t<T>*, accumulator_t<T>*, void*, Stream);
CROCUTA_INSTANTIATE(float)
CROCUTA_INSTANTIATE(double)
CROCUTA_INSTANTIATE(bfloat16)
CROCUTA_INSTANTIATE(float16)
#undef CROCUTA_INSTANTIATE

}  // namespace crocuta::kernels
