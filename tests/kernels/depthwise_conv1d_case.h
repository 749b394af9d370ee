// Random inputs of the depthwise convolution and an independent oracle for it.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "framework/base/error.h"
#include "kernels/depthwise_conv1d.h"

namespace crocuta::test {

using kernels::DepthwiseConv1dShape;

// What the oracle computes in: wider than what T's sums are taken in.
template <class T>
using Exact = std::conditional_t<std::is_same_v<T, double>, long double, double>;

template <class T>
Exact<T> exact(T value) {
  return static_cast<Exact<T>>(static_cast<kernels::accumulator_t<T>>(value));
}
template <class T>
T rounded(Exact<T> value) {
  return static_cast<T>(static_cast<kernels::accumulator_t<T>>(value));
}

// Half the distance from 1 to the next number, and half the smallest subnormal number.
template <class T>
Exact<T> unit_roundoff() {
  if constexpr (std::is_same_v<T, bfloat16>) return std::ldexp(1.0, -8);
  if constexpr (std::is_same_v<T, float16>) return std::ldexp(1.0, -11);
  if constexpr (std::is_same_v<T, float>) return std::ldexp(1.0, -24);
  return std::ldexp(Exact<T>(1), -53);
}
template <class T>
Exact<T> half_smallest() {
  if constexpr (std::is_same_v<T, bfloat16>) return std::ldexp(1.0, -134);
  if constexpr (std::is_same_v<T, float16>) return std::ldexp(1.0, -25);
  if constexpr (std::is_same_v<T, float>) return std::ldexp(1.0, -150);
  return std::ldexp(Exact<T>(1), -1075);
}

inline std::string describe(const DepthwiseConv1dShape& s) {
  return str("B ", s.batch, ", C ", s.channels, ", L ", s.length, ", K ", s.kernel_size, ", left ",
             s.left_padding, ", offset ", s.channel_offset, ", group_dim ", s.group_dim, ", G ",
             s.groups);
}

template <class T>
struct ConvInputs {
  DepthwiseConv1dShape shape;
  std::vector<T> x, weight, bias, dy;

  template <class Draw>
  ConvInputs(const DepthwiseConv1dShape& s, Draw draw) : shape(s) {
    const auto fill = [&](std::vector<T>& values, std::int64_t n) {
      values.resize(static_cast<std::size_t>(n));
      for (T& value : values) value = rounded<T>(draw());
    };
    fill(x, s.batch * s.channels * s.length);
    fill(weight, s.groups * s.kernel_size);
    fill(bias, s.groups);
    fill(dy, s.batch * s.channels * s.length);
  }
};

template <class T>
struct ConvResults {
  std::vector<T> y, dx, dweight, dbias;
};

// Memory that kernels for Device reach, filled from a vector and read back into one.
template <class Device, class T>
class DeviceArray;
template <class T>
class DeviceArray<kernels::Cpu, T> {
 public:
  explicit DeviceArray(std::vector<T> values) : values_(std::move(values)) {}
  T* data() { return values_.data(); }
  const std::vector<T>& to_vector() const { return values_; }

 private:
  std::vector<T> values_;
};

// The values behind `shift` others, so that they are not aligned.
template <class Device, class T>
class ShiftedArray {
 public:
  ShiftedArray(const std::vector<T>& values, std::size_t shift)
      : shift_(shift), array_(shifted(values, shift)) {}
  ShiftedArray(std::size_t size, std::size_t shift)
      : ShiftedArray(std::vector<T>(size, T(NAN)), shift) {}
  T* data() { return array_.data() + shift_; }
  std::vector<T> to_vector() const {
    const std::vector<T> all = array_.to_vector();
    return {all.begin() + static_cast<std::ptrdiff_t>(shift_), all.end()};
  }

 private:
  static std::vector<T> shifted(const std::vector<T>& values, std::size_t shift) {
    std::vector<T> all(shift, T(NAN));
    all.insert(all.end(), values.begin(), values.end());
    return all;
  }
  std::size_t shift_;
  DeviceArray<Device, T> array_;
};

template <class T, class Device = kernels::Cpu>
std::vector<T> run_forward(const ConvInputs<T>& in, bool with_bias = true, std::size_t shift = 0) {
  ShiftedArray<Device, T> x(in.x, shift), y(in.x.size(), shift);
  ShiftedArray<Device, T> weight(in.weight, 0), bias(in.bias, 0);
  kernels::depthwise_conv1d_forward<Device, T>(
      in.shape, x.data(), weight.data(), with_bias ? bias.data() : nullptr, y.data(), nullptr);
  return y.to_vector();
}

enum Wanted { kDx = 1, kDweight = 2, kDbias = 4, kAll = 7 };

// The kernels for Device, forward and backward; results that are not wanted stay NaN. x, y and
// their gradients lie `shift` elements past a boundary.
template <class T, class Device = kernels::Cpu>
ConvResults<T> run(const ConvInputs<T>& in, bool with_bias = true, int wanted = kAll,
                   std::size_t shift = 0) {
  ShiftedArray<Device, T> x(in.x, shift), dy(in.dy, shift), dx(in.x.size(), shift);
  ShiftedArray<Device, T> weight(in.weight, 0), dweight(in.weight.size(), 0);
  ShiftedArray<Device, T> dbias(in.bias.size(), 0);
  const auto bytes = kernels::depthwise_conv1d_workspace_bytes<Device, T>(in.shape);
  ShiftedArray<Device, double> workspace((static_cast<std::size_t>(bytes) + 7) / 8, 0);
  kernels::depthwise_conv1d_backward<Device, T>(
      in.shape, x.data(), weight.data(), dy.data(), wanted & kDx ? dx.data() : nullptr,
      wanted & kDweight ? dweight.data() : nullptr, wanted & kDbias ? dbias.data() : nullptr,
      workspace.data(), nullptr);
  return {run_forward<T, Device>(in, with_bias, shift), dx.to_vector(), dweight.to_vector(),
          dbias.to_vector()};
}

// The plain loops of the library.
template <class T>
ConvResults<T> run_reference(const ConvInputs<T>& in, bool with_bias = true) {
  ConvResults<T> out{std::vector<T>(in.x.size()), std::vector<T>(in.x.size()),
                     std::vector<T>(in.weight.size()), std::vector<T>(in.bias.size())};
  kernels::depthwise_conv1d_reference_forward<T>(
      in.shape, in.x.data(), in.weight.data(), with_bias ? in.bias.data() : nullptr, out.y.data());
  kernels::depthwise_conv1d_reference_backward<T>(in.shape, in.x.data(), in.weight.data(),
                                                  in.dy.data(), out.dx.data(), out.dweight.data(),
                                                  out.dbias.data());
  return out;
}

// A sum, the sum of its terms' magnitudes, and how many there are.
template <class T>
struct Sum {
  Exact<T> value = 0, magnitude = 0;
  std::int64_t terms = 0;

  void add(Exact<T> term) {
    value += term;
    magnitude += std::fabs(term);
    ++terms;
  }
};

template <class T>
struct ConvOracle {
  std::vector<Sum<T>> y, dx, dweight, dbias;

  // Visits every (output, sample) pair that a tap joins once, and adds each product to the three
  // sums it belongs to: unlike the kernels, which gather, this scatters.
  explicit ConvOracle(const ConvInputs<T>& in, bool with_bias = true)
      : y(in.x.size()), dx(in.x.size()), dweight(in.weight.size()), dbias(in.bias.size()) {
    const DepthwiseConv1dShape& s = in.shape;
    std::size_t row = 0;
    for (std::int64_t b = 0; b < s.batch; ++b) {
      for (std::int64_t c = 0; c < s.channels; ++c, row += static_cast<std::size_t>(s.length)) {
        const auto g = static_cast<std::size_t>((s.channel_offset + c) / s.group_dim);
        for (std::int64_t t = 0; t < s.length; ++t) {
          const std::size_t out = row + static_cast<std::size_t>(t);
          const Exact<T> gradient = exact(in.dy[out]);
          dbias[g].add(gradient);
          for (std::int64_t sample = std::max<std::int64_t>(0, t - s.left_padding);
               sample < std::min(s.length, t - s.left_padding + s.kernel_size); ++sample) {
            const std::size_t from = row + static_cast<std::size_t>(sample);
            const std::size_t tap = g * static_cast<std::size_t>(s.kernel_size) +
                                    static_cast<std::size_t>(sample - t + s.left_padding);
            const Exact<T> w = exact(in.weight[tap]), x = exact(in.x[from]);
            y[out].add(w * x);
            dx[from].add(w * gradient);
            dweight[tap].add(gradient * x);
          }
          if (with_bias) y[out].add(exact(in.bias[g]));
        }
      }
    }
  }
};

// A random convolution of at most `taps` taps on rows of at most `length` samples.
inline DepthwiseConv1dShape random_shape(std::mt19937_64& random, std::int64_t taps,
                                         std::int64_t length) {
  const auto draw = [&](std::int64_t low, std::int64_t high) {
    return std::uniform_int_distribution<std::int64_t>(low, high)(random);
  };
  DepthwiseConv1dShape s;
  s.batch = draw(0, 9) == 0 ? 0 : draw(1, 4);
  // Small sizes, where the corners are, more often than large ones.
  s.kernel_size = draw(1, draw(0, 2) ? 12 : taps);
  s.length = draw(0, 19) == 0 ? 0 : draw(1, draw(0, 2) ? 40 : length);
  s.left_padding = draw(0, 1) ? s.kernel_size - 1 : (s.kernel_size - 1) / 2;
  s.group_dim = draw(1, draw(0, 3) ? 3 : 6);
  s.groups = draw(1, draw(0, 3) ? 4 : 8);
  const std::int64_t channels = s.groups * s.group_dim;
  s.channels = draw(1, channels);
  s.channel_offset = draw(0, channels - s.channels);
  return s;
}

}  // namespace crocuta::test
