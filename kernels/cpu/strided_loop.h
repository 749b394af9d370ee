// Walking a StridedShape on the CPU.
#pragma once

#include "kernels/cpu/parallel.h"
#include "kernels/strided.h"

namespace crocuta::kernels {

// Calls f(offsets, count) for runs along the innermost dimension that together visit every
// element once: offsets[k] is where operand k starts, its stride is shape.stride[k][dims - 1].
template <int Operands, class F>
void for_each_run(const StridedShape<Operands>& shape, std::int64_t grain, F&& f) {
  const int last = shape.dims - 1;
  const std::int64_t inner = shape.size[last];
  parallel_for(shape.numel, grain, [&](std::int64_t begin, std::int64_t end) {
    while (begin < end) {
      std::int64_t offset[Operands] = {};
      std::int64_t rest = begin / inner;
      const std::int64_t column = begin % inner;
      for (int d = last - 1; d >= 0; --d) {
        const std::int64_t index = rest % shape.size[d];
        rest /= shape.size[d];
        for (int k = 0; k < Operands; ++k) offset[k] += index * shape.stride[k][d];
      }
      for (int k = 0; k < Operands; ++k) offset[k] += column * shape.stride[k][last];
      const std::int64_t count = std::min(inner - column, end - begin);
      f(offset, count);
      begin += count;
    }
  });
}

}  // namespace crocuta::kernels
