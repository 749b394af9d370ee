#include "kernels/dropout.h"

#include "framework/ops/operands.h"
#include "framework/ops/ops.h"
#include "framework/tensor/dispatch.h"
#include "framework/tensor/strided.h"

namespace crocuta {
namespace {

Tensor apply(const Tensor& x, double p, RandomKey key, const kernels::DropoutRows& rows) {
  const Tensor input = x.contiguous();
  Tensor y = empty(x.shape(), x.options());
  const auto threshold = static_cast<std::uint64_t>(p * 0x1p32);
  const double scale = p < 1 ? 1 / (1 - p) : 0;
  dispatch("dropout", x, [&]<class Device, class T>() {
    kernels::dropout<Device, T>(rows, key.seed, key.stream, threshold, scale, input.data<T>(),
                                y.data<T>(), current_stream(x.device()));
  });
  return y;
}

// The mask is made again on the way back. `positions` is what rows.positions points into.
Tensor record_dropout(const Tensor& x, double p, RandomKey key, const kernels::DropoutRows& rows,
                      const Tensor& positions) {
  if (!(p >= 0 && p <= 1)) fail<ArgumentError>("dropout", "p", "a number in [0, 1]", str(p));
  return record(
      "dropout", apply(x, p, key, rows), {x},
      [p, key, rows, positions = saved("positions", positions)](const Tensor& dy) -> Grads {
        positions.get();  // throws if they were changed
        return {apply(dy, p, key, rows)};
      });
}

}  // namespace

Tensor dropout(const Tensor& x, double p, RandomKey key) {
  return record_dropout(x, p, key, {.rows = x.numel(), .global_rows = x.numel()}, {});
}

Tensor dropout(const Tensor& x, double p, RandomKey key, const Shard& shard) {
  const int dim = normalize_dim("dropout", shard.dim, x.dim());
  kernels::DropoutRows rows = {.rows = x.size(dim), .global_rows = shard.length};
  for (int d = 0; d < dim; ++d) rows.outer *= x.size(d);
  for (int d = dim + 1; d < x.dim(); ++d) rows.inner *= x.size(d);
  Tensor positions;
  if (shard.positions.defined()) {
    if (shard.positions.shape() != Shape{rows.rows}) {
      fail<ShapeError>("dropout", "positions", to_string({rows.rows}),
                       to_string(shard.positions.shape()));
    }
    require_ids("dropout", "positions", shard.positions, x, shard.length);
    positions = shard.positions.contiguous();
    rows.positions = positions.data<std::int64_t>();
  } else if (shard.first < 0 || shard.first > shard.length - rows.rows) {
    fail<ArgumentError>("dropout", "shard",
                        str("a range of ", rows.rows, " within a length of ", shard.length),
                        str("one that begins at ", shard.first));
  }
  rows.first_row = shard.first;
  return record_dropout(x, p, key, rows, positions);
}

}  // namespace crocuta
