// cuBLAS counts matrices by columns: to it, our row-major C [m, n] is its transpose, C^T = op(B)^T
// op(A)^T. So operands change places, and nothing is transposed.
#include "kernels/gemm.h"

#include <algorithm>
#include <limits>

#include "kernels/cuda/gemm_library.h"
#include "kernels/cuda/toolbox/divider.h"
#include "kernels/cuda/toolbox/launch.h"
#include "kernels/cuda/toolbox/vector.h"

namespace crocuta::kernels {
namespace {

using std::int64_t;

template <class T>
constexpr cudaDataType data_type() {
  if constexpr (std::is_same_v<T, double>) return CUDA_R_64F;
  if constexpr (std::is_same_v<T, bfloat16>) return CUDA_R_16BF;
  if constexpr (std::is_same_v<T, float16>) return CUDA_R_16F;
  return CUDA_R_32F;
}

// Older versions of cuBLAS launch batches along z.
constexpr int64_t kMaxBatch = 65535;

// C_i = alpha * op(A_i) op(B_i) + beta * C_i for every product of s; no size is 0.
template <class T, class To>
void multiply(cublasHandle_t handle, const GemmShape& s, accumulator_t<T> alpha, const T* a,
              const T* b, accumulator_t<T> beta, To* c) {
  constexpr cublasComputeType_t compute =
      std::is_same_v<T, double> ? CUBLAS_COMPUTE_64F : CUBLAS_COMPUTE_32F;
  const cublasOperation_t op_b = s.trans_b ? CUBLAS_OP_T : CUBLAS_OP_N;
  const cublasOperation_t op_a = s.trans_a ? CUBLAS_OP_T : CUBLAS_OP_N;
  if (s.batch == 1) {
    check_cublas(cublasGemmEx_64(handle, op_b, op_a, s.n, s.m, s.k, &alpha, b, data_type<T>(),
                                 s.ldb, a, data_type<T>(), s.lda, &beta, c, data_type<To>(), s.ldc,
                                 compute, CUBLAS_GEMM_DEFAULT),
                 "gemm");
    return;
  }
  for (int64_t i = 0; i < s.batch; i += kMaxBatch) {
    check_cublas(cublasGemmStridedBatchedEx_64(
                     handle, op_b, op_a, s.n, s.m, s.k, &alpha, b + i * s.stride_b, data_type<T>(),
                     s.ldb, s.stride_b, a + i * s.stride_a, data_type<T>(), s.lda, s.stride_a,
                     &beta, c + i * s.stride_c, data_type<To>(), s.ldc, s.stride_c,
                     std::min(kMaxBatch, s.batch - i), compute, CUBLAS_GEMM_DEFAULT),
                 "gemm");
  }
}

// True if the matrices of a batch follow each other along k, those with a `row` of k as parts of
// longer rows: ld, which means nothing with one row, is set to fit.
bool follow_along_k(const GemmShape& s, bool row, std::int64_t rows, std::int64_t stride,
                    std::int64_t& ld) {
  if (!row) return stride == s.k * ld;
  if (rows == 1) ld = std::max(ld, s.k * s.batch);
  return stride == s.k && ld >= s.k * s.batch;
}

// Of a sum over the batch that is one product with a longer k, that product.
GemmShape folded(const GemmShape& s) {
  if (!s.sum_batch || s.batch == 0) return s;
  GemmShape one = s;
  one.k *= s.batch;
  one.batch = 1;
  one.sum_batch = false;
  if (s.batch == 1) return one;
  const bool fits = s.k <= std::numeric_limits<std::int32_t>::max() / s.batch;
  return fits && follow_along_k(s, !s.trans_a, s.m, s.stride_a, one.lda) &&
                 follow_along_k(s, s.trans_b, s.n, s.stride_b, one.ldb)
             ? one
             : s;
}

// Elements of C that give every multiprocessor a tile or more. Sums over a batch with a smaller C
// are taken in several parts side by side, which share the batch as evenly as can be: a call with
// fewer products than the others takes as long as they do.
constexpr int64_t kEnoughElements = int64_t{1} << 22;

int64_t parts(const GemmShape& s) {
  const int64_t most = std::clamp<int64_t>(kEnoughElements / (s.m * s.n), 1, s.batch);
  return ceil_div(s.batch, ceil_div(s.batch, most));
}

// Partial results that are kept aside in the accumulator's type.
template <class T>
int64_t partial_elements(const GemmShape& s) {
  constexpr bool wide = std::is_same_v<T, accumulator_t<T>>;
  if (s.m == 0 || s.n == 0 || s.k == 0 || s.batch == 0) return 0;
  if (s.sum_batch) return wide && parts(s) == 1 ? 0 : parts(s) * s.m * s.n;
  return wide ? 0 : std::min(s.m * s.n, kEnoughElements);
}

// Where results are finished: `outer` matrices C [m, n], which may lie apart as GemmShape says.
struct Matrices {
  int64_t outer, m, n, ld, stride;
};

// How blocks find theirs: `groups` of rows, each cut into tiles of columns.
struct FinishPlan {
  Matrices c;
  int64_t groups;
  Divider tiles, m;
};

// C = the sum of the partial results [parts, outer, m, n] in order, + beta * C + bias. A block has
// threads for some rows of a few columns each.
template <int V, class T, class A>
__global__ void __launch_bounds__(kBlockThreads)
    gemm_finish_kernel(FinishPlan plan, int64_t parts, const A* partial, A beta, T* c,
                       GemmBias kind, const T* bias) {
  const Matrices& s = plan.c;
  const int64_t rows = s.outer * s.m, tiles = plan.tiles.divisor();
  for (int64_t block = blockIdx.x; block < plan.groups * tiles; block += gridDim.x) {
    const int64_t group = plan.tiles.divide(block);
    const int64_t row = group * blockDim.y + threadIdx.y;
    const int64_t j = ((block - group * tiles) * blockDim.x + threadIdx.x) * V;
    if (row >= rows || j >= s.n) continue;
    const int64_t o = plan.m.divide(row), i = row - o * s.m;
    T* const to = c + o * s.stride + i * s.ld + j;
    A sum[V] = {};
    if (kind == GemmBias::per_row) {
      for (int v = 0; v < V; ++v) sum[v] = static_cast<A>(bias[i]);
    } else if (kind == GemmBias::per_column) {
      const Vector<T, V> add = load_vector<V>(bias + j);
      for (int v = 0; v < V; ++v) sum[v] = static_cast<A>(add[v]);
    }
    if (beta != A(0)) {
      const Vector<T, V> old = load_vector<V>(to);
      for (int v = 0; v < V; ++v) sum[v] += beta * static_cast<A>(old[v]);
    }
    for (int64_t part = 0; part < parts; ++part) {
      const Vector<A, V> add = load_vector<V>(partial + (part * rows + row) * s.n + j);
      for (int v = 0; v < V; ++v) sum[v] += add[v];
    }
    Vector<T, V> result;
    for (int v = 0; v < V; ++v) result[v] = T(sum[v]);
    store_vector<V>(to, result);
  }
}

template <class T, class A>
void finish(const Matrices& s, int64_t parts, const A* partial, A beta, T* c, GemmBias kind,
            const T* bias, Stream stream) {
  constexpr int V = kVector<T>;
  const bool vectors = s.n % V == 0 && s.ld % V == 0 && s.stride % V == 0 && is_aligned(c, 16) &&
                       (kind != GemmBias::per_column || is_aligned(bias, 16));
  const int64_t width = vectors ? V : 1;
  unsigned columns = 1;
  while (columns < kBlockThreads && columns * width < s.n) columns *= 2;
  LaunchConfig config;
  config.block = dim3(columns, kBlockThreads / columns);
  const int64_t groups = ceil_div(s.outer * s.m, config.block.y);
  const FinishPlan plan{s, groups, Divider(ceil_div(s.n, columns * width)), Divider(s.m)};
  config.grid = dim3(static_cast<unsigned>(std::min(groups * plan.tiles.divisor(), kMaxGridX)));
  launch("gemm", vectors ? gemm_finish_kernel<V, T, A> : gemm_finish_kernel<1, T, A>, config,
         stream, plan, parts, partial, beta, c, kind, bias);
}

// One C from all products. Part p of the partial results is the sum of products p, p + parts, ...
template <class T, class A>
void run_summed(cublasHandle_t handle, const GemmShape& shape, A alpha, const T* a, const T* b,
                A beta, T* c, GemmBias kind, const T* bias, A* partial, Stream stream) {
  GemmShape s = shape;
  const int64_t count = parts(s);
  s.sum_batch = false;
  const Matrices matrices{1, s.m, s.n, s.ldc, 0};
  if constexpr (std::is_same_v<T, A>) {
    if (count == 1) {
      if (kind != GemmBias::none) {
        finish<T, A>(matrices, 0, nullptr, beta, c, kind, bias, stream);
        beta = A(1);
      }
      s.batch = 1;
      for (int64_t i = 0; i < shape.batch; ++i) {
        multiply(handle, s, alpha, a + i * s.stride_a, b + i * s.stride_b, i == 0 ? beta : A(1), c);
      }
      return;
    }
  }
  s.ldc = s.n;
  s.stride_c = s.m * s.n;
  for (int64_t i = 0; i < shape.batch; i += count) {
    s.batch = std::min(count, shape.batch - i);
    multiply(handle, s, alpha, a + i * s.stride_a, b + i * s.stride_b, i == 0 ? A(0) : A(1),
             partial);
  }
  finish(matrices, count, partial, beta, c, kind, bias, stream);
}

// A product in 16 bits to which something is added. Most of cuBLAS's kernels round alpha * A B before
// they add what C holds (an H100 showed it), so tiles of the product are made in float32, small enough
// to be in the cache when they are finished.
template <class T, class A>
void run_tiled(cublasHandle_t handle, const GemmShape& shape, A alpha, const T* a, const T* b,
               A beta, T* c, GemmBias kind, const T* bias, A* partial, Stream stream) {
  GemmShape s = shape;
  s.batch = 1;
  const int64_t columns = std::min(shape.n, kEnoughElements);
  const int64_t rows = std::min(shape.m, kEnoughElements / columns);
  for (int64_t o = 0; o < shape.batch; ++o) {
    for (int64_t i = 0; i < shape.m; i += rows) {
      for (int64_t j = 0; j < shape.n; j += columns) {
        s.m = std::min(rows, shape.m - i);
        s.n = std::min(columns, shape.n - j);
        s.ldc = s.n;
        multiply(handle, s, alpha, a + o * s.stride_a + i * (s.trans_a ? 1 : s.lda),
                 b + o * s.stride_b + j * (s.trans_b ? s.ldb : 1), A(0), partial);
        finish<T, A>({1, s.m, s.n, shape.ldc, 0}, 1, partial, beta,
                     c + o * shape.stride_c + i * shape.ldc + j, kind,
                     bias + (kind == GemmBias::per_row ? i : j), stream);
      }
    }
  }
}
}  // namespace

template <class Device, class T>
std::size_t gemm_workspace_bytes(const GemmShape& shape) {
  const auto partial = static_cast<std::size_t>(partial_elements<T>(folded(shape)));
  return kBlasAlignment + kBlasWorkspaceBytes + partial * sizeof(accumulator_t<T>);
}

template <class Device, class T>
void gemm(const GemmShape& shape, double alpha_in, const T* a, const T* b, double beta_in, T* c,
          GemmBias kind, const T* bias, void* workspace, Stream stream) {
  using A = accumulator_t<T>;
  const auto alpha = static_cast<A>(alpha_in), beta = static_cast<A>(beta_in);
  const GemmShape s = folded(shape);
  const int64_t outer = s.sum_batch ? 1 : s.batch;
  if (s.m == 0 || s.n == 0 || outer == 0) return;
  const Matrices matrices{outer, s.m, s.n, s.ldc, outer == 1 ? 0 : s.stride_c};
  if (s.k == 0 || s.batch == 0) {
    return finish<T, A>(matrices, 0, nullptr, beta, c, kind, bias, stream);
  }
  const auto start = (reinterpret_cast<std::uintptr_t>(workspace) + kBlasAlignment - 1) /
                     kBlasAlignment * kBlasAlignment;
  auto* const scratch = reinterpret_cast<char*>(start);
  auto* const partial = reinterpret_cast<A*>(scratch + kBlasWorkspaceBytes);
  const BlasHandle handle(scratch, stream);
  if (s.sum_batch) {
    return run_summed(handle.get(), s, alpha, a, b, beta, c, kind, bias, partial, stream);
  }
  if constexpr (!std::is_same_v<T, A>) {
    if (kind != GemmBias::none || beta != A(0)) {
      return run_tiled(handle.get(), s, alpha, a, b, beta, c, kind, bias, partial, stream);
    }
  }
  if (kind != GemmBias::none) finish<T, A>(matrices, 0, nullptr, beta, c, kind, bias, stream);
  multiply(handle.get(), s, alpha, a, b, kind == GemmBias::none ? beta : A(1), c);
}

#define CROCUTA_INSTANTIATE(T)                                                                    \
  template std::size_t gemm_workspace_bytes<Cuda, T>(const GemmShape&);                           \
  template void gemm<Cuda, T>(const GemmShape&, double, const T*, const T*, double, T*, GemmBias, \
                              const T*, void*, Stream);
CROCUTA_INSTANTIATE(float)
CROCUTA_INSTANTIATE(double)
CROCUTA_INSTANTIATE(bfloat16)
CROCUTA_INSTANTIATE(float16)
#undef CROCUTA_INSTANTIATE

}  // namespace crocuta::kernels
