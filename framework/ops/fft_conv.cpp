#include "kernels/fft_conv.h"

#include "framework/ops/operands.h"
#include "framework/ops/ops.h"
#include "framework/ops/workspace.h"
#include "framework/tensor/dispatch.h"

namespace crocuta {
namespace {

constexpr std::int64_t kMaxLength = std::int64_t{1} << 30;  // nobody has tried more

// k or skip as the kernels take them: float32, or float64 with float64 signals. Gradients flow
// through the conversion.
Tensor widened(const char* op, const char* name, const Tensor& signal, const Tensor& x) {
  if (!x.defined()) return x;
  const DType wide = signal.dtype() == DType::float64 ? DType::float64 : DType::float32;
  if (x.dtype() != signal.dtype() && x.dtype() != wide) {
    require_same_kind(op, name, signal, x);
  }
  if (x.device() != signal.device()) {
    fail<DeviceError>(op, name, crocuta::name(signal.device()), crocuta::name(x.device()));
  }
  return x.to(wide);
}

struct Kernels {
  bool gated;
  const char* op;

  // The convolution of `signal`: z [B, C, L], or u [B, 3C, L] if gated.
  Tensor forward(const Tensor& signal, const Tensor& k, const Tensor& skip) const {
    const std::int64_t B = signal.size(0), C = k.size(0), L = k.size(1);
    Tensor y = empty({B, C, L}, signal.options());
    dispatch(op, signal, [&]<class Device, class T>() {
      using R = kernels::accumulator_t<T>;
      const Tensor scratch =
          workspace(kernels::fft_conv_workspace_bytes<Device, T>(B, C, L), signal.device());
      const auto run =
          gated ? kernels::hyena_conv_forward<Device, T> : kernels::fft_conv_forward<Device, T>;
      run(B, C, L, signal.data<T>(), k.data<R>(), pointer<R>(skip), y.data<T>(), scratch.raw_data(),
          current_stream(signal.device()));
    });
    return y;
  }

  // The gradients of signal, k and skip; those not wanted are undefined.
  Grads backward(const Tensor& signal, const Tensor& k, const Tensor& skip, const Tensor& dy,
                 bool wants_signal, bool wants_k, bool wants_skip) const {
    const std::int64_t B = signal.size(0), C = k.size(0), L = k.size(1);
    Grads grads(3);
    if (wants_signal) grads[0] = empty(signal.shape(), signal.options());
    if (wants_k) grads[1] = empty(k.shape(), k.options());
    if (wants_skip) grads[2] = empty(skip.shape(), skip.options());
    dispatch(op, signal, [&]<class Device, class T>() {
      using R = kernels::accumulator_t<T>;
      const Tensor scratch =
          workspace(kernels::fft_conv_workspace_bytes<Device, T>(B, C, L), signal.device());
      const auto run =
          gated ? kernels::hyena_conv_backward<Device, T> : kernels::fft_conv_backward<Device, T>;
      run(B, C, L, signal.data<T>(), k.data<R>(), pointer<R>(skip), dy.data<T>(),
          pointer<T>(grads[0]), pointer<R>(grads[1]), pointer<R>(grads[2]), scratch.raw_data(),
          current_stream(signal.device()));
    });
    return grads;
  }

  template <class T>
  static T* pointer(const Tensor& x) {
    return x.defined() ? x.data<T>() : nullptr;
  }
};

// `streams` channels of the signal belong to one channel of k.
void check(const char* op, const char* name, const Tensor& signal, std::int64_t streams,
           const Tensor& k, const Tensor& skip) {
  const char* const expected = streams == 1 ? "[B, C, L]" : "[B, 3C, L]";
  if (signal.dim() != 3) fail<ShapeError>(op, name, expected, to_string(signal.shape()));
  if (signal.size(1) % streams != 0) {
    fail<ShapeError>(op, name, "[B, 3C, L]", to_string(signal.shape()));
  }
  const Shape wanted = {signal.size(1) / streams, signal.size(2)};
  if (k.shape() != wanted) {
    fail<ShapeError>(
        op, "k", str("[C, L] = ", to_string(wanted), " for ", name, " ", to_string(signal.shape())),
        to_string(k.shape()));
  }
  if (skip.defined() && skip.shape() != Shape{wanted[0]}) {
    fail<ShapeError>(op, "skip", to_string(Shape{wanted[0]}), to_string(skip.shape()));
  }
  if (signal.size(2) > kMaxLength) {
    fail<ShapeError>(op, name, "a length of at most 2^30", str(signal.size(2)));
  }
}

Tensor convolve(Kernels kernels, const char* name, const Tensor& signal, const Tensor& k_in,
                const Tensor& skip_in) {
  check(kernels.op, name, signal, kernels.gated ? 3 : 1, k_in, skip_in);
  const Tensor k = widened(kernels.op, "k", signal, k_in);
  const Tensor skip = widened(kernels.op, "skip", signal, skip_in);
  const Tensor input = signal.detach().contiguous(), taps = k.detach().contiguous();
  const Tensor d = skip.defined() ? skip.detach().contiguous() : skip;
  return record(kernels.op, kernels.forward(input, taps, d), {signal, k, skip},
                [kernels, input = saved(name, input), taps = saved("k", taps), d = saved("skip", d),
                 wants_signal = signal.requires_grad(), wants_k = k.requires_grad(),
                 wants_skip = skip.defined() && skip.requires_grad()](const Tensor& dy) -> Grads {
                  return kernels.backward(input, taps, d, dy, wants_signal, wants_k, wants_skip);
                });
}
}  // namespace

Tensor fft_conv(const Tensor& z, const Tensor& k, const Tensor& skip) {
  return convolve({false, "fft_conv"}, "z", z, k, skip);
}

Tensor hyena_conv(const Tensor& u, const Tensor& k, const Tensor& skip) {
  return convolve({true, "hyena_conv"}, "u", u, k, skip);
}

}  // namespace crocuta
