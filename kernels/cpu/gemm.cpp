// The product is cut into tasks by its sizes alone, so that its bits do not depend on the number of
// threads; each task runs on one.
#include "kernels/gemm.h"

#include <algorithm>

#include "kernels/cpu/gemm_block.h"
#include "kernels/cpu/parallel.h"

namespace crocuta::kernels {
namespace {

using std::int64_t;

// [0, size) cut into `count` ranges that differ in length by at most one.
struct Cut {
  int64_t size = 0;
  int64_t count = 1;
  int64_t begin(int64_t i) const { return size / count * i + std::min(i, size % count); }
  int64_t longest() const { return (size + count - 1) / count; }
};

// How a product is cut into tasks. Tasks that share elements of C (`parts` of them) each write a
// partial product, which are then added up in order.
struct Tasks {
  Cut m, n, k, batch;  // batch: cut only if it is summed over
  int64_t outer = 1;   // products that are not summed
  int64_t parts() const { return k.count * batch.count; }
  int64_t count() const { return outer * parts() * m.count * n.count; }
};

// About 16 tasks, fewer if a task would fall below 4 MFLOP, more if it would exceed 1 GFLOP. Rows
// of C are cut before columns (each panel of B is packed for many rows then), and k only when C is
// too small to give work to all.
Tasks cut(const GemmShape& s) {
  Tasks t{{s.m}, {s.n}, {s.k}, {s.sum_batch ? s.batch : 1}, s.sum_batch ? 1 : s.batch};
  const double flops = 2.0 * static_cast<double>(s.m) * static_cast<double>(s.n) *
                       static_cast<double>(s.k) * static_cast<double>(s.batch);
  const double wanted = std::max(std::min(flops / 4e6, 16.0), std::min(flops / 1e9, 64.0));
  const auto target = static_cast<int64_t>(wanted);
  if (t.batch.size > 1) t.batch.count = std::clamp<int64_t>(target, 1, t.batch.size);
  const auto halve = [&](Cut& c, int64_t least) {
    while (2 * t.count() <= target && c.longest() >= 2 * least) c.count *= 2;
  };
  halve(t.m, 256);
  halve(t.n, 256);
  halve(t.m, 128);
  halve(t.n, 128);
  halve(t.k, 512);
  return t;
}

// True if tasks write partial sums [parts, outer, m, n], to be added up and rounded at the end.
template <class T>
bool is_partial(const Tasks& t) {
  return !std::is_same_v<T, accumulator_t<T>> || t.parts() > 1;
}

template <class T, class A>
struct Product {
  GemmShape s;
  Tasks tasks;
  A alpha;
  const T* a;
  const T* b;

  // Rows of `mi`, columns of `ni` of C = start + alpha * op(A) op(B), for product `index` and k of
  // `ki`; without a start it is added to C.
  void run(int64_t index, int64_t mi, int64_t ni, int64_t ki, const gemm_block::Start<A>* start,
           A* c, int64_t ldc) const {
    const int64_t i = tasks.m.begin(mi), j = tasks.n.begin(ni), l = tasks.k.begin(ki);
    const gemm_block::Matrix<T> x{a + index * s.stride_a, s.lda, s.trans_a};
    const gemm_block::Matrix<T> y{b + index * s.stride_b, s.ldb, s.trans_b};
    gemm_block::Start<A> here;
    if (start != nullptr) {
      here = *start;
      if (here.row_bias != nullptr) here.row_bias += i;
      if (here.column_bias != nullptr) here.column_bias += j;
    }
    gemm_block::multiply<T, A>(tasks.m.begin(mi + 1) - i, tasks.n.begin(ni + 1) - j,
                               tasks.k.begin(ki + 1) - l, alpha, {x.at(i, l), s.lda, s.trans_a},
                               {y.at(l, j), s.ldb, s.trans_b}, start != nullptr ? &here : nullptr,
                               c + i * ldc + j, ldc);
  }
};

// Every task writes its own elements of C, of all products that it sums.
template <class A>
void run_direct(const Product<A, A>& p, const gemm_block::Start<A>& start, A* c) {
  const GemmShape& s = p.s;
  const Tasks& t = p.tasks;
  parallel_for(t.count(), 1, [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) {
      const int64_t ni = task % t.n.count, mi = task / t.n.count % t.m.count;
      const int64_t o = task / t.n.count / t.m.count;
      const int64_t first = s.sum_batch ? 0 : o, last = s.sum_batch ? s.batch : o + 1;
      for (int64_t index = first; index < last; ++index) {
        p.run(index, mi, ni, 0, index == first ? &start : nullptr, c + o * s.stride_c, s.ldc);
      }
    }
  });
}

// Every task writes its own elements of partial [parts, outer, m, n].
template <class T, class A>
void run_partial(const Product<T, A>& p, A* partial) {
  const GemmShape& s = p.s;
  const Tasks& t = p.tasks;
  constexpr gemm_block::Start<A> kZero{};
  parallel_for(t.count(), 1, [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) {
      const int64_t ni = task % t.n.count, mi = task / t.n.count % t.m.count;
      const int64_t rest = task / t.n.count / t.m.count;
      const int64_t o = rest % t.outer, part = rest / t.outer;
      const int64_t ki = part % t.k.count, bi = part / t.k.count;
      A* to = partial + (part * t.outer + o) * s.m * s.n;
      // One product of the batch, or a range of those that are summed.
      const int64_t first = s.sum_batch ? t.batch.begin(bi) : o;
      const int64_t last = s.sum_batch ? t.batch.begin(bi + 1) : o + 1;
      for (int64_t index = first; index < last; ++index) {
        p.run(index, mi, ni, ki, index == first ? &kZero : nullptr, to, s.n);
      }
    }
  });
}

// C = the sum of the partial products in order, + beta * C + bias, rounded once.
template <class T, class A>
void finish(const GemmShape& s, const Tasks& t, const A* partial, A beta, T* c, GemmBias kind,
            const T* bias) {
  const int64_t parts = s.k == 0 || s.batch == 0 ? 0 : t.parts();
  const int64_t step = t.outer * s.m * s.n;
  constexpr int64_t kBlock = 256;  // columns summed together, in the first-level cache
  parallel_for(t.outer * s.m, 1 + 16384 / (s.n * (parts + 1)), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const int64_t i = row % s.m;
      T* to = c + row / s.m * s.stride_c + i * s.ldc;
      const A constant = kind == GemmBias::per_row ? static_cast<A>(bias[i]) : A(0);
      for (int64_t first = 0; first < s.n; first += kBlock) {
        const int64_t count = std::min(kBlock, s.n - first);
        A sum[kBlock];
        for (int64_t j = 0; j < count; ++j) {
          sum[j] = kind == GemmBias::per_column ? static_cast<A>(bias[first + j]) : constant;
          if (beta != A(0)) sum[j] += beta * static_cast<A>(to[first + j]);
        }
        for (int64_t part = 0; part < parts; ++part) {
          const A* from = partial + part * step + row * s.n + first;
          for (int64_t j = 0; j < count; ++j) sum[j] += from[j];
        }
        for (int64_t j = 0; j < count; ++j) to[first + j] = T(sum[j]);
      }
    }
  });
}
}  // namespace

template <class Device, class T>
std::size_t gemm_workspace_bytes(const GemmShape& s) {
  const Tasks t = cut(s);
  if (!is_partial<T>(t)) return 0;
  return static_cast<std::size_t>(t.parts() * t.outer * s.m * s.n) * sizeof(accumulator_t<T>);
}

template <class Device, class T>
void gemm(const GemmShape& shape, double alpha, const T* a, const T* b, double beta, T* c,
          GemmBias bias_kind, const T* bias, void* workspace, Stream) {
  using A = accumulator_t<T>;
  const Tasks tasks = cut(shape);
  if (tasks.outer == 0 || shape.m == 0 || shape.n == 0) return;
  const A scale = static_cast<A>(beta);
  const Product<T, A> product{shape, tasks, static_cast<A>(alpha), a, b};
  if constexpr (std::is_same_v<T, A>) {
    if (!is_partial<T>(tasks) && shape.batch > 0) {
      return run_direct(product,
                        {scale, bias_kind == GemmBias::per_row ? bias : nullptr,
                         bias_kind == GemmBias::per_column ? bias : nullptr},
                        c);
    }
  }
  A* const partial = static_cast<A*>(workspace);
  if (shape.k > 0) run_partial(product, partial);
  finish(shape, tasks, partial, scale, c, bias_kind, bias);
}

template <class Device, class T>
std::size_t channel_sum_workspace_bytes(int64_t, int64_t, int64_t) {
  return 0;
}

template <class Device, class T>
void channel_sum(int64_t B, int64_t C, int64_t L, const T* x, T* y, void*, Stream) {
  using A = accumulator_t<T>;
  constexpr int64_t kLanes = 16;  // running sums side by side, for the vector unit
  constexpr int64_t kRun = 4096;  // elements per such sum; these are then added up in double
  parallel_for(C, 1 + 16384 / (B * L + 1), [&](int64_t begin, int64_t end) {
    for (int64_t c = begin; c < end; ++c) {
      double total = 0;
      for (int64_t b = 0; b < B; ++b) {
        const T* row = x + (b * C + c) * L;
        for (int64_t first = 0; first < L; first += kRun) {
          const int64_t last = std::min(first + kRun, L);
          A lane[kLanes] = {};
          int64_t t = first;
          for (; t + kLanes <= last; t += kLanes) {
            for (int64_t l = 0; l < kLanes; ++l) lane[l] += static_cast<A>(row[t + l]);
          }
          for (int64_t l = 0; t < last; ++t, ++l) lane[l] += static_cast<A>(row[t]);
          for (const A sum : lane) total += static_cast<double>(sum);
        }
      }
      y[c] = T(static_cast<A>(total));
    }
  });
}

#define CROCUTA_INSTANTIATE(T)                                                                   \
  template std::size_t gemm_workspace_bytes<Cpu, T>(const GemmShape&);                           \
  template void gemm<Cpu, T>(const GemmShape&, double, const T*, const T*, double, T*, GemmBias, \
                             const T*, void*, Stream);                                           \
  template void channel_sum<Cpu, T>(int64_t, int64_t, int64_t, const T*, T*, void*, Stream);     \
  template std::size_t channel_sum_workspace_bytes<Cpu, T>(int64_t, int64_t, int64_t);
CROCUTA_INSTANTIATE(float)
CROCUTA_INSTANTIATE(double)
CROCUTA_INSTANTIATE(bfloat16)
CROCUTA_INSTANTIATE(float16)
#undef CROCUTA_INSTANTIATE

}  // namespace crocuta::kernels
