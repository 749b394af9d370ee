// Matrix products as a linear layer makes them, against the machine's peak of multiply-adds: y = x
// W^T, dx = dy W, and dW = dy^T x with its long sum over rows; and against a BLAS, where one was
// found, which takes its threads from OPENBLAS_NUM_THREADS.
#include <cstdio>

#include "bench/harness.h"
#include "bench/limits.h"
#include "framework/device/threads.h"
#include "kernels/gemm.h"

#if defined(CROCUTA_WITH_CBLAS)
#include <cblas.h>
#endif

namespace crocuta::bench {
namespace {

using kernels::GemmBias;
using kernels::GemmShape;

struct Case {
  std::int64_t rows, in, out;
};
constexpr Case kCases[] = {{4096, 768, 2304}, {8192, 128, 384}, {4096, 256, 1024},
                           {1024, 64, 64},    {16, 64, 64},     {1, 256, 1024}};

#if defined(CROCUTA_WITH_CBLAS)
constexpr bool kHasPeer = true;
#else
constexpr bool kHasPeer = false;
#endif

struct Product {
  Product(std::int64_t m, std::int64_t n, std::int64_t k, bool trans_a, bool trans_b)
      : shape{trans_a, trans_b, m, n, k, trans_a ? m : k, trans_b ? k : n, n},
        workspace(kernels::gemm_workspace_bytes<kernels::Cpu, float>(shape) / 4) {}

  void run(const Buffer& a, const Buffer& b, const Buffer& c) const {
    kernels::gemm<kernels::Cpu, float>(shape, 1, a.data(), b.data(), 0, c.data(), GemmBias::none,
                                       nullptr, workspace.data(), nullptr);
  }

#if defined(CROCUTA_WITH_CBLAS)
  void run_peer(const Buffer& a, const Buffer& b, const Buffer& c) const {
    const auto operation = [](bool trans) { return trans ? CblasTrans : CblasNoTrans; };
    const auto size = [](std::int64_t n) { return static_cast<int>(n); };
    cblas_sgemm(CblasRowMajor, operation(shape.trans_a), operation(shape.trans_b), size(shape.m),
                size(shape.n), size(shape.k), 1, a.data(), size(shape.lda), b.data(),
                size(shape.ldb), 0, c.data(), size(shape.ldc));
  }
#else
  void run_peer(const Buffer&, const Buffer&, const Buffer&) const {}
#endif

  GemmShape shape;
  Buffer workspace;
};

void measure(const Case& c) {
  const auto size = [](std::int64_t a, std::int64_t b) { return static_cast<std::size_t>(a * b); };
  const Buffer x(size(c.rows, c.in)), w(size(c.out, c.in)), y(size(c.rows, c.out));
  const Product forward(c.rows, c.out, c.in, false, true);
  const Product input(c.rows, c.in, c.out, false, false);
  const Product weight(c.out, c.in, c.rows, true, false);
  double operations = 0;
  const auto times = compare({{"forward", [&] { forward.run(x, w, y); }},
                              {"forward, BLAS", [&] { forward.run_peer(x, w, y); }},
                              {"dx", [&] { input.run(y, w, x); }},
                              {"dx, BLAS", [&] { input.run_peer(y, w, x); }},
                              {"dw", [&] { weight.run(y, x, w); }},
                              {"dw, BLAS", [&] { weight.run_peer(y, x, w); }},
                              {"multiply-adds", [&] { operations = multiply_adds(); }}});
  const double flops =
      2.0 * static_cast<double>(c.rows) * static_cast<double>(c.in) * static_cast<double>(c.out);
  const double peak = operations / times[6].median;
  std::printf("%5lld %4lld %5lld |", static_cast<long long>(c.rows), static_cast<long long>(c.in),
              static_cast<long long>(c.out));
  for (std::size_t i = 0; i < 6; i += 2) {
    const double median = times[i].median;
    std::printf(" %9.1f %6.1f %4.0f%%", median * 1e6, flops / median * 1e-9,
                100 * flops / median / peak);
    if (kHasPeer) std::printf(" %5.2f", times[i + 1].median / median);
    std::printf(" |");
  }
  std::printf("\n");
  std::fflush(stdout);
}

}  // namespace
}  // namespace crocuta::bench

int main() {
  using namespace crocuta::bench;
  std::printf(
      "gemm, float32, %d of its threads, %s; medians of 9 interleaved rounds:\n"
      "microseconds, GFLOP/s, share of the multiply-add peak%s\n\n",
      crocuta::num_threads(), machine().c_str(), kHasPeer ? ", times as fast as the BLAS" : "");
  std::printf(" rows   in   out | %*s | %*s | %*s |\n", kHasPeer ? 28 : 22, "forward x W^T",
              kHasPeer ? 28 : 22, "dx = dy W", kHasPeer ? 28 : 22, "dW = dy^T x");
  for (const Case& c : kCases) measure(c);
}
