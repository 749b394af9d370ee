// Rows of n neighbouring numbers, each worked on by a team of threads that lies along x in its
// block: 1 to 32 lanes of a warp for a short row, a whole block for a long one.
//
// A thread takes groups of kWidth elements, those of a 16-byte access where n is a multiple of
// them, at distances of the team's size. What is summed in which order follows from n alone: where
// addresses are not aligned, the same groups are loaded element by element.
#pragma once

#include <cmath>

#include "kernels/cuda/toolbox/reduce.h"
#include "kernels/cuda/toolbox/vector.h"

namespace crocuta::kernels {

struct LanesTeam {
  template <class A, class Op>
  __device__ static A reduce(A value, A /*empty*/, Op op) {
    return warp_reduce(value, op, static_cast<int>(blockDim.x));
  }
};
struct BlockTeam {
  template <class A, class Op>
  __device__ static A reduce(A value, A empty, Op op) {
    return block_reduce(value, empty, op);
  }
};

// How a kernel takes its rows: by which team, in blocks of at most how many threads, in groups of
// how many elements, and how many groups of each operand a thread holds in registers, so that they
// are loaded once; 0 if rows are too long for that.
template <class Team_, int kThreads_, int kWidth_, int kHeld_>
struct RowPlan {
  using Team = Team_;
  static constexpr int kThreads = kThreads_;
  static constexpr int kWidth = kWidth_;
  static constexpr int kHeld = kHeld_;
};

inline constexpr int kMaxHeld = 4;           // 64 bytes of each operand
inline constexpr int kLongRowThreads = 512;  // per block that reads its row more than once

// Calls run(plan, config) with the RowPlan for rows of n elements of T and a grid for them.
template <class T, class Run>
void plan_rows(std::int64_t rows, std::int64_t n, Run run) {
  constexpr int kWidth = kVector<T>;
  const bool whole = n % kWidth == 0;
  const std::int64_t groups = whole ? n / kWidth : n;
  const auto lanes_grid = [&] {
    int lanes = 1;
    while (lanes < groups && lanes < kWarpThreads) lanes *= 2;
    const int teams = kBlockThreads / lanes;
    LaunchConfig config = grid_for(rows, teams);
    config.block = dim3(static_cast<unsigned>(lanes), static_cast<unsigned>(teams));
    return config;
  };
  const auto block_grid = [&](std::int64_t most) {
    const std::int64_t warps = ceil_div(groups, kWarpThreads);
    const std::int64_t threads = kWarpThreads * warps;
    return grid_for(rows, 1, static_cast<int>(threads < most ? threads : most));
  };
  if (whole && groups <= kMaxHeld * kWarpThreads) {
    run(RowPlan<LanesTeam, kBlockThreads, kWidth, kMaxHeld>{}, lanes_grid());
  } else if (whole && groups <= kMaxHeld * kBlockThreads) {
    run(RowPlan<BlockTeam, kBlockThreads, kWidth, kMaxHeld>{}, block_grid(kBlockThreads));
  } else if (whole) {
    run(RowPlan<BlockTeam, kLongRowThreads, kWidth, 0>{}, block_grid(kLongRowThreads));
  } else if (groups <= 16 * kWarpThreads) {
    run(RowPlan<LanesTeam, kBlockThreads, 1, 0>{}, lanes_grid());
  } else {
    run(RowPlan<BlockTeam, kLongRowThreads, 1, 0>{}, block_grid(kLongRowThreads));
  }
}

// The number of an element in its row, as an operand of Row's functions.
struct Position {
  std::int64_t first;

  __device__ Position get(int, std::int64_t i) const { return {i}; }
  __device__ std::int64_t operator[](int j) const { return first + j; }
};

// A row as one thread of its team sees it. Functions that combine the team's results must be called
// by all threads of the block.
template <class Plan>
class Row {
 public:
  using Team = typename Plan::Team;
  static constexpr int kWidth = Plan::kWidth;
  static constexpr int kHeld = Plan::kHeld;

  // An operand whose groups are in registers if the plan says so; one that is loaded when needed.
  template <class T>
  struct Held {
    const T* x;
    bool aligned;
    Vector<T, kWidth> groups[kHeld > 0 ? kHeld : 1];

    __device__ Vector<T, kWidth> get(int k, std::int64_t i) const {
      return kHeld > 0 ? groups[k] : load_group<kWidth>(x + i, aligned);
    }
  };
  template <class T>
  struct Streamed {
    const T* x;
    bool aligned;

    __device__ Vector<T, kWidth> get(int, std::int64_t i) const {
      return load_group<kWidth>(x + i, aligned);
    }
  };

  // A team without a row has one of no elements.
  __device__ Row(std::int64_t n, bool aligned) : n_(n), aligned_(aligned) {}

  template <class T>
  __device__ Held<T> hold(const T* x) const {
    Held<T> operand{x, aligned_, {}};
    if constexpr (kHeld > 0) {
      for_each_held(
          [&](int k, std::int64_t i) { operand.groups[k] = load_group<kWidth>(x + i, aligned_); });
    }
    return operand;
  }
  template <class T>
  __device__ Streamed<T> stream(const T* x) const {
    return {x, aligned_};
  }

  // f(i, groups...) for this thread's groups of the operands, of which i is the first element.
  // Those that are not held are read several at a time before the first of them is used.
  template <class F, class... Operands>
  __device__ void for_each_group(F f, const Operands&... operands) const {
    if constexpr (kHeld > 0) {
      for_each_held([&](int k, std::int64_t i) { f(i, operands.get(k, i)...); });
    } else {
      const std::int64_t step = static_cast<std::int64_t>(blockDim.x) * kWidth;
      std::int64_t i = static_cast<std::int64_t>(threadIdx.x) * kWidth;
      const auto use = [&](const auto&... read) {
#pragma unroll
        for (int u = 0; u < kReadAtOnce; ++u) f(i + u * step, read.groups[u]...);
      };
      for (; i + (kReadAtOnce - 1) * step < n_; i += kReadAtOnce * step) {
        use(read(operands, i, step)...);
      }
      for (; i < n_; i += step) f(i, operands.get(0, i)...);
    }
  }

  // The sum of f(operands[i]...) over the row: groups in A, in which f's results are, then in
  // total_t.
  template <class A, class F, class... Operands>
  __device__ total_t<A> sum(F f, const Operands&... operands) const {
    total_t<A> total = 0;
    const auto add = [&](std::int64_t, const auto&... groups) {
      total += static_cast<total_t<A>>(sum_group<A>(f, groups...));
    };
    for_each_group(add, operands...);
    return Team::reduce(total, total_t<A>(0), Plus{});
  }

  // The largest f(x[i]), NaN left out; -infinity if there is none.
  template <class A, class F, class Operand>
  __device__ A max(F f, const Operand& operand) const {
    A largest = -static_cast<A>(HUGE_VAL);
    const auto compare = [&](std::int64_t, const auto& group) {
#pragma unroll
      for (int j = 0; j < kWidth; ++j) largest = Larger{}(largest, f(group[j]));
    };
    for_each_group(compare, operand);
    return Team::reduce(largest, -static_cast<A>(HUGE_VAL), Larger{});
  }

  // y[i] = f(operands[i]...)
  template <class T, class F, class... Operands>
  __device__ void write(T* __restrict__ y, F f, const Operands&... operands) const {
    const auto store = [&](std::int64_t i, const auto&... groups) {
      store_group(y + i, map_group<T>(f, groups...), aligned_);
    };
    for_each_group(store, operands...);
  }

 private:
  static constexpr int kReadAtOnce = 4;

  // f(k, i): the k-th of the groups that are held begins at element i.
  template <class F>
  __device__ void for_each_held(F f) const {
    const int size = static_cast<int>(blockDim.x), rank = static_cast<int>(threadIdx.x);
#pragma unroll
    for (int k = 0; k < kHeld; ++k) {
      const std::int64_t i = (k * size + rank) * kWidth;
      if (i < n_) f(k, i);
    }
  }

  template <class Group>
  struct Read {
    Group groups[kReadAtOnce];
  };
  template <class Operand>
  __device__ auto read(const Operand& x, std::int64_t i, std::int64_t step) const {
    Read<decltype(x.get(0, i))> result;
#pragma unroll
    for (int u = 0; u < kReadAtOnce; ++u) result.groups[u] = x.get(0, i + u * step);
    return result;
  }

  template <class A, class F, class... Groups>
  __device__ static A sum_group(F f, const Groups&... groups) {
    A sum = f(groups[0]...);
#pragma unroll
    for (int j = 1; j < kWidth; ++j) sum += f(groups[j]...);
    return sum;
  }
  template <class T, class F, class... Groups>
  __device__ static Vector<T, kWidth> map_group(F f, const Groups&... groups) {
    Vector<T, kWidth> result;
#pragma unroll
    for (int j = 0; j < kWidth; ++j) result[j] = T(f(groups[j]...));
    return result;
  }

  std::int64_t n_;
  bool aligned_;
};

// f(row, here) for the rows of this thread's team, the same number of times in all threads of a
// block; `here` is false for a team that has no row left.
template <class F>
__device__ void for_each_row(std::int64_t rows, F f) {
  const std::int64_t stride = static_cast<std::int64_t>(gridDim.x) * blockDim.y;
  for (std::int64_t first = static_cast<std::int64_t>(blockIdx.x) * blockDim.y; first < rows;
       first += stride) {
    const std::int64_t row = first + threadIdx.y;
    f(row, row < rows);
  }
}

}  // namespace crocuta::kernels
