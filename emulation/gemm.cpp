#include "emulation/gemm.h"

#include <cblas.h>

#include <vector>

#include "kernels/cpu/gemm_serial.h"
#include "kernels/types.h"

namespace crocuta::emulation {
namespace {

using std::int64_t;

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

void blas(CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, int m, int n, int k, float alpha, const float* a,
          int lda, const float* b, int ldb, float beta, float* c, int ldc) {
  cblas_sgemm(CblasColMajor, ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}
void blas(CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, int m, int n, int k, double alpha,
          const double* a, int lda, const double* b, int ldb, double beta, double* c, int ldc) {
  cblas_dgemm(CblasColMajor, ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}

// T: of A and B; A: of the sums. 16-bit matrices are widened first and C is rounded once.
template <class T, class A>
void run(const Gemm& g) {
  const A alpha = *static_cast<const A*>(g.alpha), beta = *static_cast<const A*>(g.beta);
  const auto transpose = [](cublasOperation_t op) {
    return op == CUBLAS_OP_N ? CblasNoTrans : CblasTrans;
  };
  const auto product = [&](const A* a, int64_t lda, const A* b, int64_t ldb, A* c, int64_t ldc) {
    blas(transpose(g.transa), transpose(g.transb), static_cast<int>(g.m), static_cast<int>(g.n),
         static_cast<int>(g.k), alpha, a, static_cast<int>(lda), b, static_cast<int>(ldb), beta, c,
         static_cast<int>(ldc));
  };
  const kernels::SerialBlas serial;
  std::vector<A> a, b, c;
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
      product(x, ldx, y, ldy, reinterpret_cast<A*>(g.c.matrix(i)), g.c.ld);
    } else {
      if (beta == A(0)) {
        c.assign(static_cast<std::size_t>(g.m * g.n), A(0));
      } else {
        widen<T>(g.c, g.c.matrix(i), c);
      }
      product(x, ldx, y, ldy, c.data(), g.m);
      narrow<T>(g.c, c, g.c.matrix(i));
    }
  }
}

}  // namespace

void compute(const Gemm& g) {
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
}

}  // namespace crocuta::emulation
