#include "moving_average.h"

#include <crocuta/op.h>

namespace example {
namespace {

using namespace crocuta;

// The kernel: plain loops over raw pointers, for one dtype. s = decay * s + x[t], from the first
// sample to the last or back, and y[t] = (1 - decay) * s. Rows are shared out over threads.
template <class T>
void average(std::int64_t rows, std::int64_t length, double decay, bool backwards, const T* x,
             T* y) {
  using A = kernels::accumulator_t<T>;
  const std::int64_t step = backwards ? -1 : 1, first = backwards ? length - 1 : 0;
  kernels::parallel_for(rows, 1 + 16384 / (length + 1), [=](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      A sum = 0;
      for (std::int64_t i = 0, t = row * length + first; i < length; ++i, t += step) {
        sum = static_cast<A>(decay) * sum + static_cast<A>(x[t]);
        y[t] = static_cast<T>(static_cast<A>(1 - decay) * sum);
      }
    }
  });
}

// From tensors to the kernel.
Tensor run(const Tensor& x, double decay, bool backwards) {
  const Rows rows = rows_of("moving_average", x);
  const Tensor input = x.contiguous();
  Tensor y = empty(x.shape(), x.options());
  dispatch_cpu("moving_average", x, [&]<class T>() {
    average(rows.count, rows.size, decay, backwards, input.data<T>(), y.data<T>());
  });
  return y;
}

}  // namespace

Tensor moving_average(const Tensor& x, double decay) {
  if (!(decay >= 0 && decay < 1)) {
    fail<ArgumentError>("moving_average", "decay", "a number from 0 to below 1", str(decay));
  }
  // A sample reaches all later averages, so its gradient is the same sum, taken backwards.
  return record("moving_average", run(x, decay, false), {x},
                [decay](const Tensor& dy) -> Grads { return {run(dy, decay, true)}; });
}

}  // namespace example
