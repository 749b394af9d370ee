#include "layers/hyena/online_conv.h"

#include <algorithm>
#include <bit>

#include "framework/ops/ops.h"
#include "framework/tensor/dispatch.h"
#include "kernels/online_conv.h"

namespace crocuta {
namespace {

using std::int64_t;

int64_t floor_power(int64_t n) {
  return static_cast<int64_t>(std::bit_floor(static_cast<std::uint64_t>(n)));
}

int64_t lowest_bit(int64_t n) {
  return n & -n;
}

struct OnlineConv {
  Tensor slots;  // [B, C, capacity]
  Tensor taps;   // [C, capacity]

  int64_t capacity() const { return slots.size(2); }

  // Calls f<Device, R>(rows, channels, stream).
  template <class F>
  void launch(F f) const {
    dispatch("online_conv", slots, [&]<class Device, class T>() {
      if constexpr (std::is_same_v<T, kernels::accumulator_t<T>>) {
        f.template operator()<Device, T>(slots.size(0) * slots.size(1), slots.size(1),
                                         current_stream(slots.device()));
      }
    });
  }

  // What the samples before t, of which there are some, add to the slots from t on, all of those
  // apart that earlier tiles have added.
  void tile(int64_t t) const {
    const int64_t U = lowest_bit(t), n = std::min(U, capacity() - t);
    if (n <= 0) return;
    if (U <= kernels::kOnlineDirect) {
      launch([&]<class Device, class R>(int64_t rows, int64_t channels, kernels::Stream stream) {
        kernels::online_conv_tile<Device, R>(rows, channels, U, n, taps.data<R>(), capacity(),
                                             slots.data<R>() + t, capacity(), stream);
      });
      return;
    }
    const Tensor samples = narrow(slots, 2, t - U, U);
    const Tensor padded =
        cat({samples, zeros({slots.size(0), slots.size(1), n}, slots.options())}, 2);
    const Tensor whole = fft_conv(padded, narrow(taps, 1, 0, U + n));
    const Tensor waiting = narrow(slots, 2, t, n);
    waiting.copy_(waiting + narrow(whole, 2, U, n));
  }

  // The outputs for z [B, C, w], which then are samples.
  Tensor block(const Tensor& z, int64_t t) const {
    const int64_t w = z.size(2);
    if (w <= kernels::kOnlineDirect) {
      const Tensor y = empty(z.shape(), z.options()), samples = z.contiguous();
      launch([&]<class Device, class R>(int64_t rows, int64_t channels, kernels::Stream stream) {
        kernels::online_conv_block<Device, R>(rows, channels, w, taps.data<R>(), capacity(),
                                              samples.data<R>(), slots.data<R>() + t, capacity(),
                                              y.data<R>(), stream);
      });
      return y;
    }
    const Tensor waiting = narrow(slots, 2, t, w);
    const Tensor y = waiting + fft_conv(z, narrow(taps, 1, 0, w));
    waiting.copy_(z);
    return y;
  }
};

// Makes room for `length` samples.
OnlineConv reserve(State::Kept& kept, const Tensor& z, int64_t length, int64_t limit,
                   const std::function<Tensor(int64_t)>& taps) {
  const bool first = kept.changing.empty();
  if (first || kept.changing[0].size(2) < length) {
    const auto roomy = static_cast<int64_t>(std::bit_ceil(static_cast<std::uint64_t>(length)));
    const int64_t capacity = std::min(roomy, limit);
    const Tensor slots = zeros({z.size(0), z.size(1), capacity}, z.options());
    const Tensor k = taps(capacity).contiguous();
    if (!first) {
      const Tensor& before = kept.changing[0];
      narrow(slots, 2, 0, before.size(2)).copy_(before);
    }
    kept = {.changing = {slots}, .constant = {k}};
  }
  return {kept.changing[0], kept.constant[0]};
}

}  // namespace

Tensor online_conv(const Tensor& z, int64_t t, int64_t limit,
                   const std::function<Tensor(int64_t)>& taps, State::Kept& kept) {
  const int64_t m = z.size(2);
  if (z.numel() == 0) return empty(z.shape(), z.options());
  const OnlineConv conv = reserve(kept, z, t + m, limit, taps);
  std::vector<Tensor> outputs;
  for (int64_t done = 0; done < m;) {
    const int64_t at = t + done;
    int64_t w = floor_power(m - done);
    if (at > 0) {
      conv.tile(at);
      w = std::min(w, lowest_bit(at));
    }
    outputs.push_back(conv.block(narrow(z, 2, done, w), at));
    done += w;
  }
  return outputs.size() == 1 ? outputs[0] : cat(outputs, 2);
}

}  // namespace crocuta
