// log sum exp of a row, for softmax and cross-entropy.
#pragma once

#include "kernels/cuda/toolbox/row.h"
#include "kernels/math.h"

namespace crocuta::kernels {

// log sum exp(x) = max + log(sum); a NaN or +infinity anywhere makes the sum NaN, and so does a
// row of -infinity.
template <class A>
struct LogSumExp {
  A max;
  A sum;
};

// x is an operand of the row; all threads of the block must come here.
template <class A, class Plan, class Operand>
__device__ LogSumExp<A> log_sum_exp(const Row<Plan>& row, const Operand& x) {
  if constexpr (Plan::kHeld > 0) {
    const A max = row.template max<A>([](auto value) { return static_cast<A>(value); }, x);
    const auto sum =
        row.template sum<A>([=](auto value) { return math::exp(static_cast<A>(value) - max); }, x);
    return {max, static_cast<A>(sum)};
  } else {
    // Read once: the sum so far is scaled whenever a larger element turns up.
    const A lowest = -static_cast<A>(HUGE_VAL);
    A max = lowest;
    total_t<A> sum = 0;
    const auto add = [&](std::int64_t, const auto& group) {
      A larger = max;
#pragma unroll
      for (int j = 0; j < Plan::kWidth; ++j) {
        larger = Larger{}(larger, static_cast<A>(group[j]));
      }
      if (larger > max) {
        sum *= static_cast<total_t<A>>(math::exp(max - larger));
        max = larger;
      }
      const A shift = max == lowest ? A(0) : max;  // -infinity less itself would be NaN
      A part = 0;
#pragma unroll
      for (int j = 0; j < Plan::kWidth; ++j) {
        part += math::exp(static_cast<A>(group[j]) - shift);
      }
      sum += static_cast<total_t<A>>(part);
    };
    row.for_each_group(add, x);
    const A largest = Plan::Team::reduce(max, lowest, Larger{});
    sum *= static_cast<total_t<A>>(math::exp(max - largest));
    return {largest, static_cast<A>(Plan::Team::reduce(sum, total_t<A>(0), Plus{}))};
  }
}

}  // namespace crocuta::kernels
