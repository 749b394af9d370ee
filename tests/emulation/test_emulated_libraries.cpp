// What stands in for cuBLAS and cuFFT takes and refuses what they do.
#include <cmath>
#include <vector>

#include "emulation/cublas_lt.h"
#include "emulation/cufft.h"
#include "emulation/errors.h"
#include "tests/kernels/device_vector.h"
#include "tests/support/catch.h"

using crocuta::emulation::fail_call;
using crocuta::test::DeviceVector;

namespace {

// What a call describes its matrices by, made and destroyed with it.
struct Layout {
  Layout(cudaDataType type, std::uint64_t rows, std::uint64_t columns, int64_t ld, int32_t count,
         int64_t stride) {
    REQUIRE(cublasLtMatrixLayoutCreate(&get, type, rows, columns, ld) == CUBLAS_STATUS_SUCCESS);
    REQUIRE(cublasLtMatrixLayoutSetAttribute(get, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &count,
                                             sizeof count) == CUBLAS_STATUS_SUCCESS);
    REQUIRE(cublasLtMatrixLayoutSetAttribute(get, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET,
                                             &stride, sizeof stride) == CUBLAS_STATUS_SUCCESS);
  }
  ~Layout() { cublasLtMatrixLayoutDestroy(get); }

  cublasLtMatrixLayout_t get = nullptr;
};

struct Blas {
  Blas() {
    REQUIRE(cublasLtCreate(&handle) == CUBLAS_STATUS_SUCCESS);
    REQUIRE(cublasLtMatmulPreferenceCreate(&preference) == CUBLAS_STATUS_SUCCESS);
    prefer(4);
  }
  ~Blas() {
    cublasLtMatmulPreferenceDestroy(preference);
    cublasLtDestroy(handle);
  }
  // Algorithms for addresses that are multiples of `bytes`.
  void prefer(std::uint32_t bytes) {
    for (const auto attribute :
         {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
          CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES}) {
      REQUIRE(cublasLtMatmulPreferenceSetAttribute(preference, attribute, &bytes, sizeof bytes) ==
              CUBLAS_STATUS_SUCCESS);
    }
  }

  // C [2, 2] = alpha * A [2, 3] B [3, 2] + beta * C, by columns; A is stored transposed if
  // `op_a` says so.
  cublasStatus_t multiply(const void* a, const void* b, void* c, int64_t m = 2, int64_t lda = 2,
                          cudaDataType type = CUDA_R_32F, cudaDataType type_c = CUDA_R_32F,
                          cublasComputeType_t compute = CUBLAS_COMPUTE_32F, int32_t count = 1,
                          cublasOperation_t op_a = CUBLAS_OP_N, float alpha = 1, float beta = 0) {
    cublasLtMatmulDesc_t operation = nullptr;
    REQUIRE(cublasLtMatmulDescCreate(&operation, compute,
                                     compute == CUBLAS_COMPUTE_64F ? CUDA_R_64F : CUDA_R_32F) ==
            CUBLAS_STATUS_SUCCESS);
    const auto set = [&](cublasLtMatmulDescAttributes_t attribute, const auto& value) {
      REQUIRE(cublasLtMatmulDescSetAttribute(operation, attribute, &value, sizeof value) ==
              CUBLAS_STATUS_SUCCESS);
    };
    set(CUBLASLT_MATMUL_DESC_TRANSA, op_a);
    const auto rows = static_cast<std::uint64_t>(m);
    const bool turned = op_a != CUBLAS_OP_N;
    const Layout la(type, turned ? 3 : rows, turned ? rows : 3, lda, count, 6);
    const Layout lb(type, 3, 2, 3, count, 6), lc(type_c, rows, 2, 2, count, 4);
    cublasLtMatmulHeuristicResult_t chosen = {};
    int found = 0;
    cublasStatus_t status = cublasLtMatmulAlgoGetHeuristic(
        handle, operation, la.get, lb.get, lc.get, lc.get, preference, 1, &chosen, &found);
    if (status == CUBLAS_STATUS_SUCCESS) {
      status = cublasLtMatmul(handle, operation, &alpha, a, la.get, b, lb.get, &beta, c, lc.get, c,
                              lc.get, &chosen.algo, nullptr, 0, nullptr);
    }
    cublasLtMatmulDescDestroy(operation);
    return status;
  }

  cublasLtHandle_t handle = nullptr;
  cublasLtMatmulPreference_t preference = nullptr;
};

}  // namespace

TEST_CASE("the emulated cuBLASLt counts by columns") {
  Blas blas;
  const DeviceVector<float> a(std::vector<float>{1, 2, 3, 4, 5, 6});  // [1 3 5; 2 4 6]
  const DeviceVector<float> b(std::vector<float>{1, 10, 100, 0, 1, 0});
  const DeviceVector<float> c(4);
  REQUIRE(blas.multiply(a.data(), b.data(), c.data()) == CUBLAS_STATUS_SUCCESS);
  CHECK(c.to_vector() == std::vector<float>{531, 642, 3, 4});
  // A^T is [1 2 3; 4 5 6] here.
  REQUIRE(blas.multiply(a.data(), b.data(), c.data(), 2, 3, CUDA_R_32F, CUDA_R_32F,
                        CUBLAS_COMPUTE_32F, 1, CUBLAS_OP_T, 2, 1) == CUBLAS_STATUS_SUCCESS);
  CHECK(c.to_vector() == std::vector<float>{531 + 642, 642 + 1308, 3 + 4, 4 + 10});
}

TEST_CASE("the emulated cuBLASLt refuses what cuBLASLt refuses") {
  Blas blas;
  const DeviceVector<float> a(6), b(6), c(4);
  const auto multiply = [&](auto... more) {
    return blas.multiply(a.data(), b.data(), c.data(), more...);
  };
  CHECK(multiply(-1) == CUBLAS_STATUS_INVALID_VALUE);
  CHECK(multiply(2, 1) == CUBLAS_STATUS_INVALID_VALUE);
  CHECK(multiply(3, 3) == CUBLAS_STATUS_INVALID_VALUE);  // C has only 2 rows
  CHECK(multiply(2, 2, CUDA_R_64F) == CUBLAS_STATUS_NOT_SUPPORTED);
  CHECK(multiply(2, 2, CUDA_R_32F, CUDA_R_16F) == CUBLAS_STATUS_NOT_SUPPORTED);
  CHECK(multiply(2, 2, CUDA_R_32F, CUDA_R_32F, CUBLAS_COMPUTE_64F) == CUBLAS_STATUS_NOT_SUPPORTED);
  CHECK(multiply(2, 2, CUDA_R_32F, CUDA_R_32F, CUBLAS_COMPUTE_32F, -1) ==
        CUBLAS_STATUS_INVALID_VALUE);
  CHECK(multiply(0, 2) == CUBLAS_STATUS_SUCCESS);
  CHECK(multiply(2, 2, CUDA_R_32F, CUDA_R_32F, CUBLAS_COMPUTE_32F, 0) == CUBLAS_STATUS_SUCCESS);
  fail_call("cublasLtMatmul", 1);
  CHECK(multiply(2, 2) == CUBLAS_STATUS_EXECUTION_FAILED);
  CHECK(multiply(2, 2) == CUBLAS_STATUS_SUCCESS);
}

TEST_CASE("an algorithm for addresses more aligned than those it is given is a fault") {
  Blas blas;
  const DeviceVector<float> a(7), b(6), c(4);
  blas.prefer(16);
  CHECK(blas.multiply(a.data() + 1, b.data(), c.data()) == CUBLAS_STATUS_SUCCESS);
  CHECK_THAT(cudaGetErrorString(cudaDeviceSynchronize()),
             ContainsSubstring("A is not aligned to 16 bytes, for which the algorithm was chosen"));
  cudaDeviceReset();
}

TEST_CASE("an operand outside the device's memory is a fault that surfaces later") {
  Blas blas;
  const DeviceVector<float> a(6), b(6), c(4);
  const std::vector<float> host(6);
  const auto fault_of = [&](const void* x, const void* y, int32_t count) {
    CHECK(blas.multiply(x, y, c.data(), 2, 2, CUDA_R_32F, CUDA_R_32F, CUBLAS_COMPUTE_32F, count) ==
          CUBLAS_STATUS_SUCCESS);
    const cudaError_t error = cudaDeviceSynchronize();
    const std::string text = cudaGetErrorString(error);
    CHECK(error != cudaSuccess);
    CHECK(blas.multiply(a.data(), b.data(), c.data()) == CUBLAS_STATUS_EXECUTION_FAILED);
    cudaDeviceReset();
    return text;
  };
  CHECK_THAT(fault_of(host.data(), b.data(), 1), ContainsSubstring("A is not"));
  CHECK_THAT(fault_of(a.data(), b.data() + 1, 1), ContainsSubstring("B is not"));
  CHECK_THAT(fault_of(a.data(), b.data(), 2), ContainsSubstring("A is not"));
}

namespace {

// Rows of complex numbers (i + row, 0).
std::vector<float> rows_of(int n, int rows) {
  std::vector<float> x;
  for (int row = 0; row < rows; ++row) {
    for (int i = 0; i < n; ++i) {
      x.push_back(static_cast<float>(i + row));
      x.push_back(0);
    }
  }
  return x;
}

struct Transform {
  explicit Transform(long long n, long long rows, cufftType type = CUFFT_C2C) {
    REQUIRE(cufftCreate(&plan) == CUFFT_SUCCESS);
    REQUIRE(cufftSetAutoAllocation(plan, 0) == CUFFT_SUCCESS);
    made = cufftMakePlanMany64(plan, 1, &n, nullptr, 1, n, nullptr, 1, n, type, rows, &work_bytes);
  }
  ~Transform() { cufftDestroy(plan); }

  cufftHandle plan = 0;
  cufftResult made;
  std::size_t work_bytes = 0;
};

}  // namespace

TEST_CASE("the emulated cuFFT transforms rows, and its inverse is n times the inverse") {
  const int n = 6, rows = 3;
  const Transform t(n, rows);
  REQUIRE(t.made == CUFFT_SUCCESS);
  const std::vector<float> values = rows_of(n, rows);
  const DeviceVector<float> data(values);
  const DeviceVector<char> work(t.work_bytes);
  auto* const x = reinterpret_cast<cufftComplex*>(data.data());
  CHECK(cufftExecC2C(t.plan, x, x, CUFFT_FORWARD) == CUFFT_NO_WORKSPACE);
  REQUIRE(cufftSetWorkArea(t.plan, work.data()) == CUFFT_SUCCESS);
  REQUIRE(cufftExecC2C(t.plan, x, x, CUFFT_FORWARD) == CUFFT_SUCCESS);
  const std::vector<float> spectrum = data.to_vector();
  CHECK(spectrum[0] == Approx(15));  // the sum of the first row, and of the second
  CHECK(spectrum[2 * n] == Approx(21));
  CHECK(spectrum[2] == Approx(-3));  // sum of i exp(-2 pi i / 6)
  CHECK(spectrum[3] == Approx(3 * std::sqrt(3.0)));
  REQUIRE(cufftExecC2C(t.plan, x, x, CUFFT_INVERSE) == CUFFT_SUCCESS);
  const std::vector<float> back = data.to_vector();
  for (std::size_t i = 0; i < back.size(); ++i) {
    CHECK(back[i] == Approx(n * values[i]).margin(1e-4));
  }
}

TEST_CASE("the emulated cuFFT refuses what cuFFT refuses") {
  CHECK(Transform(0, 1).made == CUFFT_INVALID_SIZE);
  CHECK(Transform(4, 0).made == CUFFT_INVALID_SIZE);
  const Transform t(4, 2);
  const DeviceVector<float> data(16);
  const DeviceVector<char> work(t.work_bytes);
  auto* const x = reinterpret_cast<cufftComplex*>(data.data());
  REQUIRE(cufftSetWorkArea(t.plan, work.data()) == CUFFT_SUCCESS);
  CHECK(cufftExecC2C(t.plan, x, x, 0) == CUFFT_INVALID_VALUE);
  CHECK(cufftExecC2C(t.plan, nullptr, x, CUFFT_FORWARD) == CUFFT_INVALID_VALUE);
  CHECK(cufftExecZ2Z(t.plan, reinterpret_cast<cufftDoubleComplex*>(x),
                     reinterpret_cast<cufftDoubleComplex*>(x),
                     CUFFT_FORWARD) == CUFFT_INVALID_TYPE);
  CHECK(cufftExecC2C(t.plan + 1000, x, x, CUFFT_FORWARD) == CUFFT_INVALID_PLAN);
  CHECK(cufftDestroy(-1) == CUFFT_INVALID_PLAN);
  fail_call("cufftMakePlanMany64", 1);
  CHECK(Transform(4, 2).made == CUFFT_ALLOC_FAILED);
  CHECK(cufftExecC2C(t.plan, x + 1, x + 1, CUFFT_FORWARD) == CUFFT_SUCCESS);
  const cudaError_t error = cudaDeviceSynchronize();
  CHECK_THAT(cudaGetErrorString(error), ContainsSubstring("cuFFT: data"));
  cudaDeviceReset();
}
