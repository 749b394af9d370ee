#include "framework/tensor/random.h"

#include "framework/tensor/autograd.h"
#include "framework/tensor/dispatch.h"
#include "kernels/random.h"

namespace crocuta {
namespace {
// Runs `fill` on x, or on a contiguous stand-in for it.
template <class F>
void fill_contiguous(const Tensor& x, F&& fill) {
  const Tensor target = x.is_contiguous() ? x : empty(x.shape(), x.options());
  fill(target);
  if (target.is_same(x)) {
    x.bump_version();
  } else {
    const NoGrad guard;
    x.copy_(target);
  }
}
}  // namespace

Generator& default_generator() {
  thread_local Generator generator;
  return generator;
}

void manual_seed(std::uint64_t seed) {
  default_generator() = {seed, 0};
}

void uniform_(const Tensor& x, double low, double high, Generator& generator) {
  const RandomKey key = generator.next();
  fill_contiguous(x, [&](const Tensor& y) {
    dispatch("uniform_", y, [&]<class Device, class T>() {
      kernels::random_uniform<Device, T>(y.numel(), key.seed, key.stream, low, high, y.data<T>(),
                                         current_stream(y.device()));
    });
  });
}

void normal_(const Tensor& x, double mean, double stddev, Generator& generator) {
  const RandomKey key = generator.next();
  fill_contiguous(x, [&](const Tensor& y) {
    dispatch("normal_", y, [&]<class Device, class T>() {
      kernels::random_normal<Device, T>(y.numel(), key.seed, key.stream, mean, stddev, y.data<T>(),
                                        current_stream(y.device()));
    });
  });
}

Tensor rand(Shape shape, TensorOptions options, Generator& generator) {
  Tensor x = empty(std::move(shape), options);
  uniform_(x, 0, 1, generator);
  return x;
}

Tensor randn(Shape shape, TensorOptions options, Generator& generator) {
  Tensor x = empty(std::move(shape), options);
  normal_(x, 0, 1, generator);
  return x;
}

}  // namespace crocuta
