#include "emulation/cublas_v2.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "emulation/calls.h"
#include "emulation/memory.h"
#include "kernels/gemm.h"
#include "kernels/types.h"

struct cublasContext {
  int device = 0;
  cudaStream_t stream = nullptr;
  void* workspace = nullptr;
  std::size_t workspace_bytes = 0;
};

namespace crocuta::emulation {
namespace {

using std::int64_t;

// The error with which a call must end at once; `likely` if it is made to fail.
cublasStatus_t begin(const char* name, cublasStatus_t likely = CUBLAS_STATUS_EXECUTION_FAILED) {
  if (call_fails(name)) return likely;
  return surfaced_fault() == cudaSuccess ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_EXECUTION_FAILED;
}

std::size_t size_of(cudaDataType type) {
  return type == CUDA_R_64F ? 8 : type == CUDA_R_32F ? 4 : 2;
}

// One operand of a call: `count` matrices of `columns` columns, each `rows` long.
struct Operand {
  void* data;
  cudaDataType type;
  int64_t rows, columns, ld, stride;

  char* matrix(int64_t i) const {
    return static_cast<char*>(data) + static_cast<std::size_t>(i * stride) * size_of(type);
  }
  bool is_valid() const { return ld >= std::max<int64_t>(rows, 1) && ld < kLimit && rows < kLimit; }

  static constexpr int64_t kLimit = std::numeric_limits<std::int32_t>::max();
};

// A matrix that is [rows, columns] after `op`.
Operand operand(const void* data, cudaDataType type, cublasOperation_t op, int64_t rows,
                int64_t columns, int64_t ld, int64_t stride) {
  if (op != CUBLAS_OP_N) std::swap(rows, columns);
  return {const_cast<void*>(data), type, rows, columns, ld, stride};
}

struct Gemm {
  cublasOperation_t transa, transb;
  int64_t m, n, k, count;
  const void *alpha, *beta;
  Operand a, b, c;
  cublasComputeType_t compute;
};

bool is_operation(cublasOperation_t op) {
  return op == CUBLAS_OP_N || op == CUBLAS_OP_T || op == CUBLAS_OP_C;
}

cublasStatus_t check(const Gemm& g) {
  if (!is_operation(g.transa) || !is_operation(g.transb)) return CUBLAS_STATUS_INVALID_VALUE;
  if (g.m < 0 || g.n < 0 || g.k < 0 || g.count < 0) return CUBLAS_STATUS_INVALID_VALUE;
  if (!g.a.is_valid() || !g.b.is_valid() || !g.c.is_valid()) return CUBLAS_STATUS_INVALID_VALUE;
  if (g.alpha == nullptr || g.beta == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
  const bool in_double =
      g.compute == CUBLAS_COMPUTE_64F || g.compute == CUBLAS_COMPUTE_64F_PEDANTIC;
  const bool types_fit =
      in_double ? g.a.type == CUDA_R_64F && g.c.type == CUDA_R_64F
                : g.a.type != CUDA_R_64F && (g.c.type == g.a.type || g.c.type == CUDA_R_32F);
  return types_fit && g.a.type == g.b.type ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_NOT_SUPPORTED;
}

// What a GPU would call an illegal address; empty if all of the operand is on `device`.
std::string misplaced(const char* name, const Operand& x, int64_t count, int device) {
  if (x.rows == 0 || x.columns == 0 || count == 0) return "";
  const MemoryRange range = find_memory(x.data);
  const auto size = static_cast<int64_t>(size_of(x.type));
  const int64_t last = (count - 1) * x.stride + (x.columns - 1) * x.ld + x.rows;
  const char* const end = static_cast<const char*>(x.data) + last * size;
  if (range.begin != nullptr && range.kind == MemoryKind::device && range.device == device &&
      end <= range.begin + range.bytes) {
    return "";
  }
  return std::string("cuBLAS: ") + name + " is not, or not whole, in memory of device " +
         std::to_string(device);
}

template <class T, class A>
void widen(const Operand& x, const char* from, std::vector<A>& to) {
  to.resize(static_cast<std::size_t>(x.rows * x.columns));
  for (int64_t j = 0; j < x.columns; ++j) {
    const T* column = reinterpret_cast<const T*>(from) + j * x.ld;
    for (int64_t i = 0; i < x.rows; ++i) {
      to[static_cast<std::size_t>(j * x.rows + i)] = static_cast<A>(column[i]);
    }
  }
}

template <class T, class A>
void narrow(const Operand& x, const std::vector<A>& from, char* to) {
  for (int64_t j = 0; j < x.columns; ++j) {
    T* column = reinterpret_cast<T*>(to) + j * x.ld;
    for (int64_t i = 0; i < x.rows; ++i) {
      column[i] = T(from[static_cast<std::size_t>(j * x.rows + i)]);
    }
  }
}

// T: of A and B; A: of the sums. 16-bit matrices are widened first; as on an H100, the product is
// rounded to C's 16 bits before beta * C is added.
template <class T, class A>
void run(const Gemm& g) {
  const A alpha = *static_cast<const A*>(g.alpha), beta = *static_cast<const A*>(g.beta);
  // What is counted by columns here is the transpose of what kernels::gemm counts by rows.
  const auto product = [&](const A* a, int64_t lda, const A* b, int64_t ldb, A beta, A* c,
                           int64_t ldc) {
    const kernels::GemmShape shape{
        g.transb != CUBLAS_OP_N, g.transa != CUBLAS_OP_N, g.n, g.m, g.k, ldb, lda, ldc};
    std::vector<std::byte> scratch(kernels::gemm_workspace_bytes<kernels::Cpu, A>(shape) + 64);
    void* aligned = scratch.data();
    std::size_t space = scratch.size();
    std::align(64, space - 64, aligned, space);
    kernels::gemm<kernels::Cpu, A>(shape, static_cast<double>(alpha), b, a,
                                   static_cast<double>(beta), c, kernels::GemmBias::none, nullptr,
                                   aligned, nullptr);
  };
  std::vector<A> a, b, c, old;
  for (int64_t i = 0; i < g.count; ++i) {
    const A *x, *y;
    int64_t ldx = g.a.ld, ldy = g.b.ld;
    if constexpr (std::is_same_v<T, A>) {
      x = reinterpret_cast<const A*>(g.a.matrix(i));
      y = reinterpret_cast<const A*>(g.b.matrix(i));
    } else {
      widen<T>(g.a, g.a.matrix(i), a);
      widen<T>(g.b, g.b.matrix(i), b);
      x = a.data(), y = b.data();
      ldx = std::max<int64_t>(g.a.rows, 1), ldy = std::max<int64_t>(g.b.rows, 1);
    }
    if (std::is_same_v<T, A> || g.c.type == CUDA_R_32F) {
      product(x, ldx, y, ldy, beta, reinterpret_cast<A*>(g.c.matrix(i)), g.c.ld);
    } else {
      c.resize(static_cast<std::size_t>(g.m * g.n));
      product(x, ldx, y, ldy, A(0), c.data(), g.m);
      if (beta != A(0)) {
        widen<T>(g.c, g.c.matrix(i), old);
        for (std::size_t j = 0; j < c.size(); ++j) {
          c[j] = static_cast<A>(T(c[j])) + beta * old[j];
        }
      }
      narrow<T>(g.c, c, g.c.matrix(i));
    }
  }
}

cublasStatus_t gemm(const char* name, cublasHandle_t handle, const Gemm& g) {
  if (handle == nullptr) return CUBLAS_STATUS_NOT_INITIALIZED;
  if (const cublasStatus_t status = begin(name); status != CUBLAS_STATUS_SUCCESS) return status;
  if (const cublasStatus_t status = check(g); status != CUBLAS_STATUS_SUCCESS) return status;
  int device = 0;
  if (cudaGetDevice(&device) != cudaSuccess || device != handle->device) {
    return CUBLAS_STATUS_EXECUTION_FAILED;
  }
  if (check_stream(handle->stream) != cudaSuccess) return CUBLAS_STATUS_EXECUTION_FAILED;
  if (g.m == 0 || g.n == 0 || g.count == 0 || fault_pending()) return CUBLAS_STATUS_SUCCESS;
  for (const auto& [operand, what] :
       {std::pair(&g.a, "A"), std::pair(&g.b, "B"), std::pair(&g.c, "C")}) {
    if (const std::string problem = misplaced(what, *operand, g.count, device); !problem.empty()) {
      start_fault(problem);
      return CUBLAS_STATUS_SUCCESS;  // as for any fault, a later call brings the news
    }
  }
  const DeviceAccess access;
  // Who keeps something there finds out.
  if (handle->workspace != nullptr) {
    std::memset(handle->workspace, kPoison, handle->workspace_bytes);
  }
  switch (g.a.type) {
    case CUDA_R_64F:
      run<double, double>(g);
      break;
    case CUDA_R_32F:
      run<float, float>(g);
      break;
    case CUDA_R_16F:
      run<float16, float>(g);
      break;
    case CUDA_R_16BF:
      run<bfloat16, float>(g);
      break;
  }
  return CUBLAS_STATUS_SUCCESS;
}

}  // namespace
}  // namespace crocuta::emulation

using namespace crocuta::emulation;

const char* cublasGetStatusName(cublasStatus_t status) {
  switch (status) {
    case CUBLAS_STATUS_SUCCESS:
      return "CUBLAS_STATUS_SUCCESS";
    case CUBLAS_STATUS_NOT_INITIALIZED:
      return "CUBLAS_STATUS_NOT_INITIALIZED";
    case CUBLAS_STATUS_ALLOC_FAILED:
      return "CUBLAS_STATUS_ALLOC_FAILED";
    case CUBLAS_STATUS_INVALID_VALUE:
      return "CUBLAS_STATUS_INVALID_VALUE";
    case CUBLAS_STATUS_EXECUTION_FAILED:
      return "CUBLAS_STATUS_EXECUTION_FAILED";
    case CUBLAS_STATUS_NOT_SUPPORTED:
      return "CUBLAS_STATUS_NOT_SUPPORTED";
    default:
      return "<unknown>";
  }
}

const char* cublasGetStatusString(cublasStatus_t status) {
  switch (status) {
    case CUBLAS_STATUS_SUCCESS:
      return "success";
    case CUBLAS_STATUS_NOT_INITIALIZED:
      return "the library was not initialized";
    case CUBLAS_STATUS_ALLOC_FAILED:
      return "the resource allocation failed";
    case CUBLAS_STATUS_INVALID_VALUE:
      return "an unsupported value or parameter was passed to the function";
    case CUBLAS_STATUS_EXECUTION_FAILED:
      return "the function failed to launch on the GPU";
    case CUBLAS_STATUS_NOT_SUPPORTED:
      return "the functionality requested is not supported";
    default:
      return "unknown error code";
  }
}

cublasStatus_t cublasCreate(cublasHandle_t* handle) {
  if (handle == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
  const cublasStatus_t status = begin("cublasCreate", CUBLAS_STATUS_ALLOC_FAILED);
  if (status != CUBLAS_STATUS_SUCCESS) return status;
  int device = 0;
  if (cudaGetDevice(&device) != cudaSuccess) return CUBLAS_STATUS_NOT_INITIALIZED;
  *handle = new cublasContext{device};
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasDestroy(cublasHandle_t handle) {
  if (handle == nullptr) return CUBLAS_STATUS_NOT_INITIALIZED;
  delete handle;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasSetStream(cublasHandle_t handle, cudaStream_t stream) {
  if (handle == nullptr) return CUBLAS_STATUS_NOT_INITIALIZED;
  handle->stream = stream;
  handle->workspace = nullptr;
  return begin("cublasSetStream");
}

cublasStatus_t cublasSetWorkspace(cublasHandle_t handle, void* workspace, std::size_t bytes) {
  if (handle == nullptr) return CUBLAS_STATUS_NOT_INITIALIZED;
  if (reinterpret_cast<std::uintptr_t>(workspace) % 256 != 0) return CUBLAS_STATUS_INVALID_VALUE;
  handle->workspace = workspace;
  handle->workspace_bytes = bytes;
  return begin("cublasSetWorkspace");
}

cublasStatus_t cublasSetAtomicsMode(cublasHandle_t handle, cublasAtomicsMode_t mode) {
  if (handle == nullptr) return CUBLAS_STATUS_NOT_INITIALIZED;
  const bool known = mode == CUBLAS_ATOMICS_NOT_ALLOWED || mode == CUBLAS_ATOMICS_ALLOWED;
  return known ? begin("cublasSetAtomicsMode") : CUBLAS_STATUS_INVALID_VALUE;
}

cublasStatus_t cublasSetMathMode(cublasHandle_t handle, cublasMath_t) {
  if (handle == nullptr) return CUBLAS_STATUS_NOT_INITIALIZED;
  return begin("cublasSetMathMode");
}

cublasStatus_t cublasGemmEx_64(cublasHandle_t handle, cublasOperation_t transa,
                               cublasOperation_t transb, std::int64_t m, std::int64_t n,
                               std::int64_t k, const void* alpha, const void* A, cudaDataType Atype,
                               std::int64_t lda, const void* B, cudaDataType Btype,
                               std::int64_t ldb, const void* beta, void* C, cudaDataType Ctype,
                               std::int64_t ldc, cublasComputeType_t computeType,
                               cublasGemmAlgo_t) {
  return gemm("cublasGemmEx_64", handle,
              {transa, transb, m, n, k, 1, alpha, beta, operand(A, Atype, transa, m, k, lda, 0),
               operand(B, Btype, transb, k, n, ldb, 0),
               operand(C, Ctype, CUBLAS_OP_N, m, n, ldc, 0), computeType});
}

cublasStatus_t cublasGemmStridedBatchedEx_64(
    cublasHandle_t handle, cublasOperation_t transa, cublasOperation_t transb, std::int64_t m,
    std::int64_t n, std::int64_t k, const void* alpha, const void* A, cudaDataType Atype,
    std::int64_t lda, long long strideA, const void* B, cudaDataType Btype, std::int64_t ldb,
    long long strideB, const void* beta, void* C, cudaDataType Ctype, std::int64_t ldc,
    long long strideC, std::int64_t batchCount, cublasComputeType_t computeType, cublasGemmAlgo_t) {
  return gemm(
      "cublasGemmStridedBatchedEx_64", handle,
      {transa, transb, m, n, k, batchCount, alpha, beta,
       operand(A, Atype, transa, m, k, lda, strideA), operand(B, Btype, transb, k, n, ldb, strideB),
       operand(C, Ctype, CUBLAS_OP_N, m, n, ldc, strideC), computeType});
}
