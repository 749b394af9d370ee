// What stands in for cuBLAS and cuFFT takes and refuses what they do.
#include <cmath>
#include <vector>

#include "emulation/cublas_v2.h"
#include "emulation/cufft.h"
#include "emulation/errors.h"
#include "tests/kernels/device_vector.h"
#include "tests/support/catch.h"

using crocuta::emulation::fail_call;
using crocuta::test::DeviceVector;

namespace {

struct Blas {
  Blas() { REQUIRE(cublasCreate(&handle) == CUBLAS_STATUS_SUCCESS); }
  ~Blas() { cublasDestroy(handle); }

  // C [2, 2] = A [2, 3] B [3, 2], by columns.
  cublasStatus_t multiply(const void* a, const void* b, void* c, int64_t m = 2, int64_t lda = 2,
                          cudaDataType type = CUDA_R_32F, cudaDataType type_c = CUDA_R_32F,
                          cublasComputeType_t compute = CUBLAS_COMPUTE_32F, int64_t count = 1) {
    const float alpha = 1, beta = 0;
    return cublasGemmStridedBatchedEx_64(handle, CUBLAS_OP_N, CUBLAS_OP_N, m, 2, 3, &alpha, a, type,
                                         lda, 6, b, type, 3, 6, &beta, c, type_c, 2, 4, count,
                                         compute, CUBLAS_GEMM_DEFAULT);
  }

  cublasHandle_t handle = nullptr;
};

}  // namespace

TEST_CASE("the emulated cuBLAS counts by columns") {
  Blas blas;
  const DeviceVector<float> a(std::vector<float>{1, 2, 3, 4, 5, 6});  // [1 3 5; 2 4 6]
  const DeviceVector<float> b(std::vector<float>{1, 10, 100, 0, 1, 0});
  const DeviceVector<float> c(4);
  REQUIRE(blas.multiply(a.data(), b.data(), c.data()) == CUBLAS_STATUS_SUCCESS);
  CHECK(c.to_vector() == std::vector<float>{531, 642, 3, 4});
  const float alpha = 2, beta = 1;
  REQUIRE(cublasGemmEx_64(blas.handle, CUBLAS_OP_T, CUBLAS_OP_N, 2, 2, 2, &alpha, a.data(),
                          CUDA_R_32F, 3, b.data(), CUDA_R_32F, 3, &beta, c.data(), CUDA_R_32F, 2,
                          CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT) == CUBLAS_STATUS_SUCCESS);
  // A^T is [1 2; 4 5] here, and B [1 0; 10 1].
  CHECK(c.to_vector() == std::vector<float>{573, 750, 7, 14});
}

TEST_CASE("the emulated cuBLAS refuses what cuBLAS refuses") {
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
  CHECK(cublasSetStream(nullptr, nullptr) == CUBLAS_STATUS_NOT_INITIALIZED);
  CHECK(cublasSetWorkspace(blas.handle, reinterpret_cast<char*>(a.data()) + 64, 4) ==
        CUBLAS_STATUS_INVALID_VALUE);
  fail_call("cublasGemmStridedBatchedEx_64", 1);
  CHECK(multiply(2, 2) == CUBLAS_STATUS_EXECUTION_FAILED);
  CHECK(multiply(2, 2) == CUBLAS_STATUS_SUCCESS);
}

TEST_CASE("an operand outside the device's memory is a fault that surfaces later") {
  Blas blas;
  const DeviceVector<float> a(6), b(6), c(4);
  const std::vector<float> host(6);
  const auto fault_of = [&](const void* x, const void* y, int64_t count) {
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
