#include "emulation/cublas_lt.h"

#include <cstring>
#include <string>

#include "emulation/calls.h"
#include "emulation/gemm.h"
#include "emulation/memory.h"

struct cublasLtContext {
  int device = 0;
};
struct cublasLtMatmulDescOpaque_t {
  cublasComputeType_t compute;
  cublasOperation_t transa = CUBLAS_OP_N, transb = CUBLAS_OP_N;
};
struct cublasLtMatrixLayoutOpaque_t {
  cudaDataType type;
  std::int64_t rows, columns, ld;
  std::int32_t count = 1;
  std::int64_t stride = 0;
};
struct cublasLtMatmulPreferenceOpaque_t {
  std::uint64_t workspace_bytes = 0;
  std::uint32_t reductions = 7;
  std::uint32_t alignments[4] = {256, 256, 256, 256};  // of A, B, C, D
};

namespace crocuta::emulation {
namespace {

using std::int64_t;

// The error with which a call must end at once; `likely` if it is made to fail.
cublasStatus_t begin(const char* name, cublasStatus_t likely = CUBLAS_STATUS_EXECUTION_FAILED) {
  if (call_fails(name)) return likely;
  return surfaced_fault() == cudaSuccess ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_EXECUTION_FAILED;
}

Operand operand(const void* data, cublasLtMatrixLayout_t x) {
  return {const_cast<void*>(data), x->type, x->rows, x->columns, x->ld, x->stride};
}

Gemm gemm_of(cublasLtMatmulDesc_t operation, const void* alpha, const void* A,
             cublasLtMatrixLayout_t a, const void* B, cublasLtMatrixLayout_t b, const void* beta,
             const void* C, cublasLtMatrixLayout_t c) {
  return {operation->transa,
          operation->transb,
          c->rows,
          c->columns,
          operation->transa == CUBLAS_OP_N ? a->columns : a->rows,
          c->count,
          alpha,
          beta,
          operand(A, a),
          operand(B, b),
          operand(C, c),
          operation->compute};
}

bool is_operation(cublasOperation_t op) {
  return op == CUBLAS_OP_N || op == CUBLAS_OP_T || op == CUBLAS_OP_C;
}

cublasStatus_t check(const Gemm& g) {
  if (!is_operation(g.transa) || !is_operation(g.transb)) return CUBLAS_STATUS_INVALID_VALUE;
  if (g.m < 0 || g.n < 0 || g.k < 0 || g.count < 0) return CUBLAS_STATUS_INVALID_VALUE;
  if (!g.a.is_valid() || !g.b.is_valid() || !g.c.is_valid()) return CUBLAS_STATUS_INVALID_VALUE;
  const auto fits = [](const Operand& x, cublasOperation_t op, int64_t rows, int64_t columns) {
    return op == CUBLAS_OP_N ? x.rows == rows && x.columns == columns
                             : x.rows == columns && x.columns == rows;
  };
  if (!fits(g.a, g.transa, g.m, g.k) || !fits(g.b, g.transb, g.k, g.n)) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
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
  const auto size = static_cast<int64_t>(x.element_bytes());
  const int64_t last = (count - 1) * x.stride + (x.columns - 1) * x.ld + x.rows;
  const char* const end = static_cast<const char*>(x.data) + last * size;
  if (range.begin != nullptr && range.kind == MemoryKind::device && range.device == device &&
      end <= range.begin + range.bytes) {
    return "";
  }
  return std::string("cuBLAS: ") + name + " is not, or not whole, in memory of device " +
         std::to_string(device);
}

// The device faults that a call with these addresses ends in; empty if in none.
std::string fault(const Gemm& g, const cublasLtMatmulAlgo_t& algo, int device) {
  const std::pair<const Operand*, const char*> operands[] = {{&g.a, "A"}, {&g.b, "B"}, {&g.c, "C"}};
  for (std::size_t i = 0; i < std::size(operands); ++i) {
    const auto& [x, name] = operands[i];
    std::string problem = misplaced(name, *x, g.count, device);
    if (problem.empty() && reinterpret_cast<std::uintptr_t>(x->data) % algo.data[i] != 0) {
      problem = std::string("cuBLAS: ") + name + " is not aligned to " +
                std::to_string(algo.data[i]) + " bytes, for which the algorithm was chosen";
    }
    if (!problem.empty()) return problem;
  }
  return "";
}

cublasStatus_t gemm(cublasLtHandle_t handle, const Gemm& g, const cublasLtMatmulAlgo_t& algo,
                    void* workspace, std::size_t workspace_bytes, cudaStream_t stream) {
  if (const cublasStatus_t status = begin("cublasLtMatmul"); status != CUBLAS_STATUS_SUCCESS) {
    return status;
  }
  if (g.alpha == nullptr || g.beta == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
  if (const cublasStatus_t status = check(g); status != CUBLAS_STATUS_SUCCESS) return status;
  if (reinterpret_cast<std::uintptr_t>(workspace) % 256 != 0 || workspace_bytes < algo.data[4]) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  int device = 0;
  if (cudaGetDevice(&device) != cudaSuccess || device != handle->device) {
    return CUBLAS_STATUS_EXECUTION_FAILED;
  }
  if (check_stream(stream) != cudaSuccess) return CUBLAS_STATUS_EXECUTION_FAILED;
  if (g.m == 0 || g.n == 0 || g.count == 0 || fault_pending()) return CUBLAS_STATUS_SUCCESS;
  if (const std::string problem = fault(g, algo, device); !problem.empty()) {
    start_fault(problem);
    return CUBLAS_STATUS_SUCCESS;  // as for any fault, a later call brings the news
  }
  const DeviceAccess access;
  // Who keeps something there finds out.
  if (workspace != nullptr) std::memset(workspace, kPoison, workspace_bytes);
  compute(g);
  return CUBLAS_STATUS_SUCCESS;
}

// Sets one of the values that a description consists of.
template <class T>
cublasStatus_t assign(T& to, const void* value, std::size_t bytes) {
  if (value == nullptr || bytes != sizeof(T)) return CUBLAS_STATUS_INVALID_VALUE;
  std::memcpy(&to, value, bytes);
  return CUBLAS_STATUS_SUCCESS;
}

}  // namespace
}  // namespace crocuta::emulation

using namespace crocuta::emulation;

const char* cublasLtGetStatusName(cublasStatus_t status) {
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

const char* cublasLtGetStatusString(cublasStatus_t status) {
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

cublasStatus_t cublasLtCreate(cublasLtHandle_t* handle) {
  if (handle == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
  const cublasStatus_t status = begin("cublasLtCreate", CUBLAS_STATUS_ALLOC_FAILED);
  if (status != CUBLAS_STATUS_SUCCESS) return status;
  int device = 0;
  if (cudaGetDevice(&device) != cudaSuccess) return CUBLAS_STATUS_NOT_INITIALIZED;
  *handle = new cublasLtContext{device};
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtDestroy(cublasLtHandle_t handle) {
  if (handle == nullptr) return CUBLAS_STATUS_NOT_INITIALIZED;
  delete handle;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t* desc, cublasComputeType_t computeType,
                                        cudaDataType scaleType) {
  const bool fits = scaleType == (computeType == CUBLAS_COMPUTE_64F ? CUDA_R_64F : CUDA_R_32F);
  if (desc == nullptr || !fits) return CUBLAS_STATUS_INVALID_VALUE;
  *desc = new cublasLtMatmulDescOpaque_t{.compute = computeType};
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t desc) {
  delete desc;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t desc,
                                              cublasLtMatmulDescAttributes_t attribute,
                                              const void* value, std::size_t bytes) {
  switch (attribute) {
    case CUBLASLT_MATMUL_DESC_TRANSA:
      return assign(desc->transa, value, bytes);
    case CUBLASLT_MATMUL_DESC_TRANSB:
      return assign(desc->transb, value, bytes);
  }
  return CUBLAS_STATUS_INVALID_VALUE;
}

cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t* layout, cudaDataType type,
                                          std::uint64_t rows, std::uint64_t columns,
                                          std::int64_t ld) {
  if (layout == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
  *layout = new cublasLtMatrixLayoutOpaque_t{.type = type,
                                             .rows = static_cast<std::int64_t>(rows),
                                             .columns = static_cast<std::int64_t>(columns),
                                             .ld = ld};
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t layout) {
  delete layout;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatrixLayoutSetAttribute(cublasLtMatrixLayout_t layout,
                                                cublasLtMatrixLayoutAttribute_t attribute,
                                                const void* value, std::size_t bytes) {
  switch (attribute) {
    case CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT:
      return assign(layout->count, value, bytes);
    case CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET:
      return assign(layout->stride, value, bytes);
  }
  return CUBLAS_STATUS_INVALID_VALUE;
}

cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t* preference) {
  if (preference == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
  *preference = new cublasLtMatmulPreferenceOpaque_t;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t preference) {
  delete preference;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t preference,
                                                    cublasLtMatmulPreferenceAttributes_t attribute,
                                                    const void* value, std::size_t bytes) {
  switch (attribute) {
    case CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES:
      return assign(preference->workspace_bytes, value, bytes);
    case CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK:
      return assign(preference->reductions, value, bytes);
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES:
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES:
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES:
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES:
      return assign(preference->alignments[attribute - CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES],
                    value, bytes);
  }
  return CUBLAS_STATUS_INVALID_VALUE;
}

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(
    cublasLtHandle_t handle, cublasLtMatmulDesc_t operation, cublasLtMatrixLayout_t Adesc,
    cublasLtMatrixLayout_t Bdesc, cublasLtMatrixLayout_t Cdesc, cublasLtMatrixLayout_t Ddesc,
    cublasLtMatmulPreference_t preference, int requested, cublasLtMatmulHeuristicResult_t results[],
    int* returned) {
  if (handle == nullptr) return CUBLAS_STATUS_NOT_INITIALIZED;
  const cublasStatus_t status = begin("cublasLtMatmulAlgoGetHeuristic");
  if (status != CUBLAS_STATUS_SUCCESS) return status;
  if (requested < 1 || Cdesc != Ddesc) return CUBLAS_STATUS_INVALID_VALUE;
  const Gemm g =
      gemm_of(operation, nullptr, nullptr, Adesc, nullptr, Bdesc, nullptr, nullptr, Cdesc);
  if (const cublasStatus_t wrong = check(g); wrong != CUBLAS_STATUS_SUCCESS) return wrong;
  const auto& [a, b, c, d] = preference->alignments;
  results[0] = {.algo = {{a, b, c, d, preference->workspace_bytes}},
                .workspaceSize = preference->workspace_bytes,
                .state = CUBLAS_STATUS_SUCCESS,
                .wavesCount = 1,
                .reserved = {}};
  *returned = 1;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t handle, cublasLtMatmulDesc_t operation,
                              const void* alpha, const void* A, cublasLtMatrixLayout_t Adesc,
                              const void* B, cublasLtMatrixLayout_t Bdesc, const void* beta,
                              const void* C, cublasLtMatrixLayout_t Cdesc, void* D,
                              cublasLtMatrixLayout_t Ddesc, const cublasLtMatmulAlgo_t* algo,
                              void* workspace, std::size_t workspaceSizeInBytes,
                              cudaStream_t stream) {
  if (handle == nullptr) return CUBLAS_STATUS_NOT_INITIALIZED;
  if (C != D || Cdesc != Ddesc || algo == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
  return gemm(handle, gemm_of(operation, alpha, A, Adesc, B, Bdesc, beta, C, Cdesc), *algo,
              workspace, workspaceSizeInBytes, stream);
}
