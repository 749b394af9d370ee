#include "kernels/cuda/gemm_library.h"

#include <array>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <string>
#include <vector>

#include "kernels/error.h"

namespace crocuta::kernels {
namespace {

using std::int64_t;

// Throws DeviceError, naming `what`, unless status is CUBLAS_STATUS_SUCCESS.
void check(cublasStatus_t status, const char* what) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  throw DeviceError(std::string(what) + ": cuBLAS failed with " + cublasLtGetStatusName(status) +
                    " (" + cublasLtGetStatusString(status) + ")");
}

// All that an algorithm is chosen by: the products without their addresses, but with how those are
// aligned.
using Key = std::array<int64_t, 18>;

// What is dear to make is kept, and never destroyed: at the end of the program cuBLAS may be gone
// before we are.
struct Kept {
  std::mutex mutex;
  std::map<int, std::vector<cublasLtHandle_t>> idle;  // by device
  std::map<Key, cublasLtMatmulAlgo_t> algorithms;
};
Kept& kept() {
  static Kept* const kept = new Kept;
  return *kept;
}
constexpr std::size_t kMostAlgorithms = 4096;

// A handle for the current device, on loan to one thread.
class Handle {
 public:
  Handle() {
    check_cuda(cudaGetDevice(&device_), "cudaGetDevice");
    {
      const std::lock_guard lock(kept().mutex);
      std::vector<cublasLtHandle_t>& idle = kept().idle[device_];
      if (!idle.empty()) {
        handle_ = idle.back();
        idle.pop_back();
        return;
      }
    }
    check(cublasLtCreate(&handle_), "cublasLtCreate");
  }
  ~Handle() {
    try {
      const std::lock_guard lock(kept().mutex);
      kept().idle[device_].push_back(handle_);
    } catch (const std::bad_alloc&) {
      cublasLtDestroy(handle_);  // no memory for the list
    }
  }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;

  cublasLtHandle_t get() const { return handle_; }
  int device() const { return device_; }

 private:
  int device_ = 0;
  cublasLtHandle_t handle_ = nullptr;
};

// cuBLASLt's descriptions, which live as long as a call.
template <auto destroy>
struct Destroy {
  template <class T>
  void operator()(T* description) const {
    destroy(description);
  }
};
template <class T, auto destroy>
using Description = std::unique_ptr<std::remove_pointer_t<T>, Destroy<destroy>>;
using Operation = Description<cublasLtMatmulDesc_t, cublasLtMatmulDescDestroy>;
using Layout = Description<cublasLtMatrixLayout_t, cublasLtMatrixLayoutDestroy>;
using Preference = Description<cublasLtMatmulPreference_t, cublasLtMatmulPreferenceDestroy>;

template <class T>
void set(const Operation& operation, cublasLtMatmulDescAttributes_t attribute, const T& value) {
  check(cublasLtMatmulDescSetAttribute(operation.get(), attribute, &value, sizeof value), "gemm");
}
template <class T>
void set(const Layout& layout, cublasLtMatrixLayoutAttribute_t attribute, const T& value) {
  check(cublasLtMatrixLayoutSetAttribute(layout.get(), attribute, &value, sizeof value), "gemm");
}
template <class T>
void set(const Preference& preference, cublasLtMatmulPreferenceAttributes_t attribute,
         const T& value) {
  check(cublasLtMatmulPreferenceSetAttribute(preference.get(), attribute, &value, sizeof value),
        "gemm");
}

Operation operation_of(const BlasProducts& p) {
  const bool wide = p.a.type == CUDA_R_64F;
  cublasLtMatmulDesc_t made = nullptr;
  check(cublasLtMatmulDescCreate(&made, wide ? CUBLAS_COMPUTE_64F : CUBLAS_COMPUTE_32F,
                                 wide ? CUDA_R_64F : CUDA_R_32F),
        "gemm");
  Operation operation(made);
  set(operation, CUBLASLT_MATMUL_DESC_TRANSA, p.op_a);
  set(operation, CUBLASLT_MATMUL_DESC_TRANSB, p.op_b);
  return operation;
}

// Of matrices that are [rows, columns] after `op`.
Layout layout_of(const BlasProducts& p, const BlasMatrices& x, cublasOperation_t op, int64_t rows,
                 int64_t columns) {
  if (op != CUBLAS_OP_N) std::swap(rows, columns);
  cublasLtMatrixLayout_t made = nullptr;
  check(cublasLtMatrixLayoutCreate(&made, x.type, static_cast<std::uint64_t>(rows),
                                   static_cast<std::uint64_t>(columns), x.ld),
        "gemm");
  Layout layout(made);
  if (p.batch > 1) {
    set(layout, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, static_cast<std::int32_t>(p.batch));
    set(layout, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, x.stride);
  }
  return layout;
}

// What the address is a multiple of, at most 256.
std::uint32_t alignment(const void* p) {
  const auto address = reinterpret_cast<std::uintptr_t>(p) | 256;
  return static_cast<std::uint32_t>(address & ~(address - 1));
}

struct Call {
  Operation operation;
  Layout a, b, c;
  std::uint32_t align_a, align_b, align_c;
};

Key key_of(const BlasProducts& p, const Call& call, int device) {
  return {device,     p.op_a,     p.op_b,     p.m,          p.n,          p.k,
          p.batch,    p.a.type,   p.c.type,   p.a.ld,       p.b.ld,       p.c.ld,
          p.a.stride, p.b.stride, p.c.stride, call.align_a, call.align_b, call.align_c};
}

// cuBLASLt's choice among the algorithms that round sums once: those whose parts, if any, are added
// in the type of the sums, and in a fixed order.
cublasLtMatmulAlgo_t choose(cublasLtHandle_t handle, const Call& call) {
  cublasLtMatmulPreference_t made = nullptr;
  check(cublasLtMatmulPreferenceCreate(&made), "gemm");
  const Preference preference(made);
  set(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, std::uint64_t{kBlasWorkspaceBytes});
  set(preference, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK,
      static_cast<std::uint32_t>(CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE));
  set(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, call.align_a);
  set(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, call.align_b);
  set(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, call.align_c);
  set(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, call.align_c);
  cublasLtMatmulHeuristicResult_t result = {};
  int found = 0;
  check(cublasLtMatmulAlgoGetHeuristic(handle, call.operation.get(), call.a.get(), call.b.get(),
                                       call.c.get(), call.c.get(), preference.get(), 1, &result,
                                       &found),
        "gemm");
  check(found > 0 ? result.state : CUBLAS_STATUS_NOT_SUPPORTED, "gemm");
  return result.algo;
}

cublasLtMatmulAlgo_t algorithm_for(const BlasProducts& p, const Call& call, const Handle& handle) {
  const Key key = key_of(p, call, handle.device());
  {
    const std::lock_guard lock(kept().mutex);
    const auto found = kept().algorithms.find(key);
    if (found != kept().algorithms.end()) return found->second;
  }
  const cublasLtMatmulAlgo_t algorithm = choose(handle.get(), call);
  const std::lock_guard lock(kept().mutex);
  if (kept().algorithms.size() >= kMostAlgorithms) kept().algorithms.clear();
  kept().algorithms.emplace(key, algorithm);
  return algorithm;
}

}  // namespace

void blas_multiply(const BlasProducts& p, const void* alpha, const void* beta, void* workspace,
                   Stream stream) {
  const Call call{operation_of(p),
                  layout_of(p, p.a, p.op_a, p.m, p.k),
                  layout_of(p, p.b, p.op_b, p.k, p.n),
                  layout_of(p, p.c, CUBLAS_OP_N, p.m, p.n),
                  alignment(p.a.data),
                  alignment(p.b.data),
                  alignment(p.c.data)};
  const Handle handle;
  const cublasLtMatmulAlgo_t algorithm = algorithm_for(p, call, handle);
  check(cublasLtMatmul(handle.get(), call.operation.get(), alpha, p.a.data, call.a.get(), p.b.data,
                       call.b.get(), beta, p.c.data, call.c.get(), const_cast<void*>(p.c.data),
                       call.c.get(), &algorithm, workspace, kBlasWorkspaceBytes,
                       static_cast<cudaStream_t>(stream)),
        "gemm");
}

}  // namespace crocuta::kernels
