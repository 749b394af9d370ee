// Sums over the middle dimension of [outer, n, groups], where a group is a few numbers that a
// thread takes at once. Where there are few results, n is cut into slices whose sums go to a
// workspace and are added up by a second kernel. What is added in which order follows from the
// sizes alone.
#pragma once

#include "kernels/cuda/toolbox/launch.h"
#include "kernels/cuda/toolbox/vector.h"

namespace crocuta::kernels {

// A block's threads are [outers, rows, columns]: each sums every rows-th row of its slice.
struct SumPlan {
  std::int64_t outer, n, groups;
  bool merged;  // all numbers of a group are added up to one
  int columns, rows, outers;
  std::int64_t column_blocks, slices, slice_rows;
};

inline constexpr int kSumColumns = 32;      // columns of a block at most, for coalesced access
inline constexpr int kSumBlocks = 1024;     // that fill a GPU
inline constexpr int kSumUnrolled = 4;      // rows that a thread loads at once
inline constexpr int kSumRowsInSlice = 16;  // per thread, at least

inline SumPlan plan_sum(std::int64_t outer, std::int64_t n, std::int64_t groups, bool merged,
                        bool sliced) {
  SumPlan plan{outer, n, groups, merged, 1, 1, 1, ceil_div(groups, kSumColumns), 1, n};
  if (groups > 0) plan.columns = static_cast<int>(ceil_div(groups, plan.column_blocks));
  // As many rows as keep every thread busy, and at least as many as fill a warp.
  const auto useful = [&] {
    return plan.rows < n &&
           (plan.rows * kSumUnrolled < n || plan.rows * plan.columns < kWarpThreads);
  };
  while (2 * plan.rows * plan.columns <= kBlockThreads && useful()) plan.rows *= 2;
  plan.outers = kBlockThreads / (plan.rows * plan.columns);
  if (sliced && n > 0 && outer * groups > 0) {
    const std::int64_t blocks = ceil_div(outer, plan.outers) * plan.column_blocks;
    const std::int64_t wanted = ceil_div(kSumBlocks, blocks);
    const std::int64_t possible = ceil_div(n, plan.rows * kSumRowsInSlice);
    plan.slice_rows = ceil_div(n, wanted < possible ? wanted : possible);
    plan.slices = ceil_div(n, plan.slice_rows);
  }
  return plan;
}

// a + b, term by term.
template <class A, class B, int N>
__device__ inline Vector<A, N> add_terms(Vector<A, N> a, const Vector<B, N>& b) {
#pragma unroll
  for (int k = 0; k < N; ++k) a[k] += static_cast<A>(b[k]);
  return a;
}

// load.terms(load.raw(o, j, group)) gives the Load::kNumbers terms at [o, j, group], as
// Vector<Load::Number, ...>; raw() only reads memory, so that several rows are under way at once.
// finish(i, total) takes result i of [outer, slices, groups, kNumbers].
template <class Load, class Finish>
__global__ void __launch_bounds__(kBlockThreads)
    sum_kernel(SumPlan plan, Load load, Finish finish) {
  using Total = total_t<typename Load::Number>;
  constexpr int N = Load::kNumbers;
  using Totals = Vector<Total, N>;
  CROCUTA_SHARED(Totals, shared, kBlockThreads);
  const int thread = static_cast<int>(threadIdx.x);
  const int column = thread % plan.columns, row = thread / plan.columns % plan.rows;
  const int outer_in_block = thread / plan.columns / plan.rows;
  const std::int64_t blocks = plan.column_blocks * plan.slices * ceil_div(plan.outer, plan.outers);

  for (std::int64_t block = blockIdx.x; block < blocks; block += gridDim.x) {
    const std::int64_t group = block % plan.column_blocks * plan.columns + column;
    const std::int64_t slice = block / plan.column_blocks % plan.slices;
    const std::int64_t o = block / plan.column_blocks / plan.slices * plan.outers + outer_in_block;
    const bool here = outer_in_block < plan.outers && o < plan.outer && group < plan.groups;

    Totals total = {};
    if (here) {
      const std::int64_t first = slice * plan.slice_rows;
      const std::int64_t end = first + plan.slice_rows < plan.n ? first + plan.slice_rows : plan.n;
      std::int64_t j = first + row;
      for (; j + (kSumUnrolled - 1) * plan.rows < end; j += kSumUnrolled * plan.rows) {
        decltype(load.raw(o, j, group)) raw[kSumUnrolled];
#pragma unroll
        for (int u = 0; u < kSumUnrolled; ++u) raw[u] = load.raw(o, j + u * plan.rows, group);
        auto part = load.terms(raw[0]);
#pragma unroll
        for (int u = 1; u < kSumUnrolled; ++u) part = add_terms(part, load.terms(raw[u]));
        total = add_terms(total, part);
      }
      if (j < end) {  // fewer rows than that are left
        auto part = load.terms(load.raw(o, j, group));
        for (j += plan.rows; j < end; j += plan.rows) {
          part = add_terms(part, load.terms(load.raw(o, j, group)));
        }
        total = add_terms(total, part);
      }
    }
    for (int half = plan.rows / 2; half > 0; half /= 2) {
      __syncthreads();
      if (row >= half && row < 2 * half) shared[thread] = total;
      __syncthreads();
      if (row < half && outer_in_block < plan.outers) {
        total = add_terms(total, shared[thread + half * plan.columns]);
      }
    }
    if (!here || row != 0) continue;
    const std::int64_t index = o * plan.slices + slice;
    if (plan.merged) {
      Total sum = total[0];
#pragma unroll
      for (int k = 1; k < N; ++k) sum += total[k];
      finish(index, sum);
    } else {
#pragma unroll
      for (int k = 0; k < N; ++k) finish((index * plan.groups + group) * N + k, total[k]);
    }
  }
}

// The sums of slices: how they are written and read again.
template <class Total>
struct WriteTotal {
  Total* totals;

  __device__ void operator()(std::int64_t i, Total total) const { totals[i] = total; }
};
template <class Total>
struct LoadTotal {
  using Number = Total;
  static constexpr int kNumbers = 1;
  const Total* totals;
  std::int64_t n, groups;

  __device__ Total raw(std::int64_t o, std::int64_t j, std::int64_t i) const {
    return totals[(o * n + j) * groups + i];
  }
  __device__ Vector<Total, 1> terms(Total total) const { return {{total}}; }
};

template <class Load>
std::int64_t sum_results(const SumPlan& plan) {  // of one slice
  return plan.merged ? 1 : plan.groups * Load::kNumbers;
}
template <class Load>
std::size_t sum_bytes(const SumPlan& plan) {
  if (plan.slices == 1) return 0;
  return static_cast<std::size_t>(plan.outer * plan.slices * sum_results<Load>(plan)) *
         sizeof(total_t<typename Load::Number>);
}

inline LaunchConfig sum_grid(const SumPlan& plan) {
  if (plan.groups == 0) return grid_for(0);
  return grid_for(plan.column_blocks * plan.slices * ceil_div(plan.outer, plan.outers), 1);
}

// Sums as `plan` says, which plan_sum() made with slices; finish(i, total) takes result i of
// [outer, groups, kNumbers], or of [outer] if merged.
template <class Load, class Finish>
void launch_sum(const char* name, const SumPlan& plan, const Load& load, const Finish& finish,
                void* workspace, Stream stream) {
  using Total = total_t<typename Load::Number>;
  if (plan.slices == 1) {
    launch(name, sum_kernel<Load, Finish>, sum_grid(plan), stream, plan, load, finish);
    return;
  }
  const auto totals = static_cast<Total*>(workspace);
  launch(name, sum_kernel<Load, WriteTotal<Total>>, sum_grid(plan), stream, plan, load,
         WriteTotal<Total>{totals});
  const std::int64_t results = sum_results<Load>(plan);
  const SumPlan second = plan_sum(plan.outer, plan.slices, results, false, false);
  launch(name, sum_kernel<LoadTotal<Total>, Finish>, sum_grid(second), stream, second,
         LoadTotal<Total>{totals, plan.slices, results}, finish);
}

struct Identity {
  template <class A>
  __device__ A operator()(A x) const {
    return x;
  }
};

// The terms map(x), of type A, of N elements at a time of x [outer, n, groups, N].
template <class T, class A, int N, class Map>
struct LoadMapped {
  using Number = A;
  static constexpr int kNumbers = N;
  const T* x;
  std::int64_t n, groups;
  bool aligned;

  __device__ Vector<T, N> raw(std::int64_t o, std::int64_t j, std::int64_t group) const {
    return load_group<N>(x + ((o * n + j) * groups + group) * N, aligned);
  }
  __device__ Vector<A, N> terms(const Vector<T, N>& values) const {
    Vector<A, N> terms;
#pragma unroll
    for (int k = 0; k < N; ++k) {
      terms[k] = Map{}(static_cast<A>(static_cast<accumulator_t<T>>(values[k])));
    }
    return terms;
  }
};

// Calls run(load, plan) for x [outer, n, inner]: in 16-byte groups of neighbours that belong to
// different results, or to the same.
template <class T, class A, class Map, class Run>
void plan_array_sum(std::int64_t outer, std::int64_t n, std::int64_t inner, const T* x, Run run) {
  constexpr int N = kVector<T>;
  const bool aligned = vectors_aligned(x);
  if (inner == 1 && n % N == 0) {
    run(LoadMapped<T, A, N, Map>{x, n / N, 1, aligned}, plan_sum(outer, n / N, 1, true, true));
  } else if (inner % N == 0) {
    run(LoadMapped<T, A, N, Map>{x, n, inner / N, aligned},
        plan_sum(outer, n, inner / N, false, true));
  } else {
    run(LoadMapped<T, A, 1, Map>{x, n, inner, aligned}, plan_sum(outer, n, inner, false, true));
  }
}
template <class T, class A, class Map>
std::size_t array_sum_bytes(std::int64_t outer, std::int64_t n, std::int64_t inner) {
  std::size_t bytes = 0;
  plan_array_sum<T, A, Map>(outer, n, inner, nullptr, [&](const auto& load, const SumPlan& plan) {
    bytes = sum_bytes<std::decay_t<decltype(load)>>(plan);
  });
  return bytes;
}

}  // namespace crocuta::kernels
