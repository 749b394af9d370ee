#include "kernels/cross_entropy.h"

#include <cmath>

#include "framework/ops/operands.h"
#include "framework/ops/ops.h"
#include "framework/ops/workspace.h"
#include "framework/tensor/dispatch.h"

namespace crocuta {
namespace {

// What the sum of the losses is multiplied by.
double scale_of(const CrossEntropyOptions& options, std::int64_t counted) {
  if (options.divisor) return 1 / *options.divisor;
  if (options.reduction == Reduction::sum || counted == 0) return 1;
  return 1 / static_cast<double>(counted);
}

}  // namespace

Tensor cross_entropy(const Tensor& logits, const Tensor& targets,
                     const CrossEntropyOptions& options) {
  const char* op = "cross_entropy";
  const std::int64_t ignored = options.ignore_index;
  if (logits.dim() == 0) fail<ShapeError>(op, "logits", "[..., classes]", "[]");
  const std::int64_t classes = logits.size(-1), rows = targets.numel();
  const Shape positions(logits.shape().begin(), logits.shape().end() - 1);
  if (targets.shape() != positions) {
    fail<ShapeError>(op, "targets", str(to_string(positions), " for these logits"),
                     to_string(targets.shape()));
  }
  if (options.divisor && !(*options.divisor > 0 && std::isfinite(*options.divisor))) {
    fail<ArgumentError>(op, "divisor", "a positive number", str(*options.divisor));
  }
  const std::int64_t counted = require_ids(op, "targets", targets, logits, classes, ignored);
  const double scale = scale_of(options, counted);

  const Tensor input = logits.contiguous(), list = targets.contiguous();
  const TensorOptions result = {accumulator_dtype(logits.dtype()), logits.device()};
  Tensor loss = empty({}, result);
  const Tensor losses = empty({rows}, result);
  const Tensor max = empty({rows}, result), log_sum = empty({rows}, result);
  dispatch(op, logits, [&]<class Device, class T>() {
    using A = kernels::accumulator_t<T>;
    const kernels::Stream stream = current_stream(logits.device());
    kernels::cross_entropy_forward<Device, T>(rows, classes, ignored, input.data<T>(),
                                              list.data<std::int64_t>(), losses.data<A>(),
                                              max.data<A>(), log_sum.data<A>(), stream);
    const Tensor scratch =
        workspace(kernels::scaled_sum_workspace_bytes<Device, A>(rows), logits.device());
    kernels::scaled_sum<Device, A>(rows, scale, losses.data<A>(), loss.data<A>(),
                                   scratch.raw_data(), stream);
  });
  return record(op, std::move(loss), {logits},
                [op, rows, classes, ignored, scale, max, log_sum, logits = saved("logits", input),
                 targets = saved("targets", list)](const Tensor& dy) -> Grads {
                  const Tensor& input = logits;
                  const Tensor& list = targets;
                  Tensor dx = empty(input.shape(), input.options());
                  dispatch(op, input, [&]<class Device, class T>() {
                    using A = kernels::accumulator_t<T>;
                    kernels::cross_entropy_backward<Device, T>(
                        rows, classes, ignored, scale, input.data<T>(), list.data<std::int64_t>(),
                        max.data<A>(), log_sum.data<A>(), dy.data<A>(), dx.data<T>(),
                        current_stream(input.device()));
                  });
                  return {dx};
                });
}

}  // namespace crocuta
