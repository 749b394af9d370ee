// A BLAS may give different bits at different thread counts. So the product is cut into tasks, by
// its sizes alone, and the BLAS is called with one thread per task from a parallel region of ours.
#include "kernels/gemm.h"

#include <cblas.h>

#include <algorithm>

#include "kernels/cpu/gemm_serial.h"
#include "kernels/cpu/parallel.h"

namespace crocuta::kernels {
namespace {

using std::int64_t;

void blas_gemm(CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, int m, int n, int k, float alpha,
               const float* a, int lda, const float* b, int ldb, float beta, float* c, int ldc) {
  cblas_sgemm(CblasRowMajor, ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}
void blas_gemm(CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, int m, int n, int k, double alpha,
               const double* a, int lda, const double* b, int ldb, double beta, double* c,
               int ldc) {
  cblas_dgemm(CblasRowMajor, ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}

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
// of C are cut before columns (fewer, longer rows cost OpenBLAS less repacking), and k only when C
// is too small to give work to all.
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

// Where the scratch memory goes: A and B in float32 for the 16-bit types, then partial products
// [parts, outer, m, n].
struct Workspace {
  int64_t a = 0, b = 0, partial = 0;  // elements of accumulator_t<T>
};

int64_t align(int64_t elements) {
  return (elements + 15) / 16 * 16;
}

template <class T>
Workspace plan_workspace(const GemmShape& s, const Tasks& t) {
  constexpr bool wide = std::is_same_v<T, accumulator_t<T>>;
  Workspace w;
  if (!wide) w.a = align((s.stride_a == 0 ? 1 : s.batch) * s.m * s.k);
  if (!wide) w.b = align((s.stride_b == 0 ? 1 : s.batch) * s.k * s.n);
  if (!wide || t.parts() > 1) w.partial = t.parts() * t.outer * s.m * s.n;
  return w;
}

// Copies `count` matrices [rows, columns] that lie `stride` apart to y, without gaps, in float32.
template <class T, class A>
void widen(int64_t count, int64_t rows, int64_t columns, int64_t ld, int64_t stride, const T* x,
           A* y) {
  parallel_for(count * rows, 1 + 16384 / (columns + 1), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const T* from = x + row / rows * stride + row % rows * ld;
      A* to = y + row * columns;
      for (int64_t j = 0; j < columns; ++j) to[j] = static_cast<A>(from[j]);
    }
  });
}

// C = C * beta + bias on rows [i0, i1), columns [j0, j1); beta 0 does not read C.
template <class T>
void prepare(int64_t i0, int64_t i1, int64_t j0, int64_t j1, T beta, GemmBias kind, const T* bias,
             T* c, int64_t ldc) {
  for (int64_t i = i0; i < i1; ++i) {
    T* row = c + i * ldc;
    const T constant = kind == GemmBias::per_row ? bias[i] : T(0);
    for (int64_t j = j0; j < j1; ++j) {
      const T add = kind == GemmBias::per_column ? bias[j] : constant;
      row[j] = beta == T(0) ? add : beta * row[j] + add;
    }
  }
}

template <class A>
struct Product {
  GemmShape s;
  Tasks tasks;
  A alpha;
  const A* a;
  const A* b;

  // c = alpha * op(A) op(B) + beta * c on rows of `i`, columns of `j`, for product `index`.
  void run(int64_t index, int64_t mi, int64_t ni, int64_t ki, A beta, A* c, int64_t ldc) const {
    const int64_t i = tasks.m.begin(mi), j = tasks.n.begin(ni), l = tasks.k.begin(ki);
    const int64_t rows = tasks.m.begin(mi + 1) - i, columns = tasks.n.begin(ni + 1) - j;
    const int64_t depth = tasks.k.begin(ki + 1) - l;
    const A* x = a + index * s.stride_a + (s.trans_a ? l * s.lda + i : i * s.lda + l);
    const A* y = b + index * s.stride_b + (s.trans_b ? j * s.ldb + l : l * s.ldb + j);
    blas_gemm(s.trans_a ? CblasTrans : CblasNoTrans, s.trans_b ? CblasTrans : CblasNoTrans,
              static_cast<int>(rows), static_cast<int>(columns), static_cast<int>(depth), alpha, x,
              static_cast<int>(s.lda), y, static_cast<int>(s.ldb), beta, c + i * ldc + j,
              static_cast<int>(ldc));
  }
};

// Every task writes its own elements of C, of all products that it sums.
template <class A>
void run_direct(const Product<A>& p, A beta, A* c, GemmBias kind, const A* bias) {
  const GemmShape& s = p.s;
  const Tasks& t = p.tasks;
  parallel_for(t.count(), 1, [&](int64_t begin, int64_t end) {
    const SerialBlas serial;
    for (int64_t task = begin; task < end; ++task) {
      const int64_t ni = task % t.n.count, mi = task / t.n.count % t.m.count;
      const int64_t o = task / t.n.count / t.m.count;
      const int64_t first = s.sum_batch ? 0 : o, last = s.sum_batch ? s.batch : o + 1;
      A* to = c + o * s.stride_c;
      A scale = beta;
      if (kind != GemmBias::none || s.k == 0 || first == last) {
        prepare(t.m.begin(mi), t.m.begin(mi + 1), t.n.begin(ni), t.n.begin(ni + 1), beta, kind,
                bias, to, s.ldc);
        scale = A(1);
      }
      for (int64_t index = first; index < last && s.k > 0; ++index) {
        p.run(index, mi, ni, 0, index == first ? scale : A(1), to, s.ldc);
      }
    }
  });
}

// Every task writes its own elements of partial [parts, outer, m, n].
template <class A>
void run_partial(const Product<A>& p, A* partial) {
  const GemmShape& s = p.s;
  const Tasks& t = p.tasks;
  parallel_for(t.count(), 1, [&](int64_t begin, int64_t end) {
    const SerialBlas serial;
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
        p.run(index, mi, ni, ki, index == first ? A(0) : A(1), to, s.n);
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
std::size_t gemm_workspace_bytes(const GemmShape& shape) {
  const Workspace w = plan_workspace<T>(shape, cut(shape));
  return static_cast<std::size_t>(w.a + w.b + w.partial) * sizeof(accumulator_t<T>);
}

template <class Device, class T>
void gemm(const GemmShape& shape, double alpha, const T* a, const T* b, double beta, T* c,
          GemmBias bias_kind, const T* bias, void* workspace, Stream) {
  using A = accumulator_t<T>;
  const Tasks tasks = cut(shape);
  if (tasks.outer == 0 || shape.m == 0 || shape.n == 0) return;
  const Workspace w = plan_workspace<T>(shape, tasks);
  A* const scratch = static_cast<A*>(workspace);
  A* const partial = scratch + w.a + w.b;
  const A scale = static_cast<A>(beta);
  if constexpr (std::is_same_v<T, A>) {
    const Product<A> product{shape, tasks, static_cast<A>(alpha), a, b};
    if (tasks.parts() == 1) return run_direct(product, scale, c, bias_kind, bias);
    if (shape.k > 0) run_partial(product, partial);
  } else if (shape.k > 0) {
    GemmShape s = shape;
    s.lda = s.trans_a ? s.m : s.k;
    s.ldb = s.trans_b ? s.k : s.n;
    s.stride_a = shape.stride_a == 0 ? 0 : s.m * s.k;
    s.stride_b = shape.stride_b == 0 ? 0 : s.k * s.n;
    widen(shape.stride_a == 0 ? 1 : s.batch, s.trans_a ? s.k : s.m, s.lda, shape.lda,
          shape.stride_a, a, scratch);
    widen(shape.stride_b == 0 ? 1 : s.batch, s.trans_b ? s.n : s.k, s.ldb, shape.ldb,
          shape.stride_b, b, scratch + w.a);
    run_partial(Product<A>{s, tasks, static_cast<A>(alpha), scratch, scratch + w.a}, partial);
  }
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
