// Matrix products as a linear layer makes them, against the machine's peak of multiply-adds:
// y = x W^T, dx = dy W, and dW = dy^T x with its long sum over rows.
#include <cstdio>

#include "bench/harness.h"
#include "bench/limits.h"
#include "kernels/gemm.h"

namespace crocuta::bench {
namespace {

using kernels::GemmBias;
using kernels::GemmShape;

struct Case {
  std::int64_t rows, in, out;
};
constexpr Case kCases[] = {
    {4096, 768, 2304}, {8192, 128, 384}, {4096, 256, 1024}, {1024, 64, 64}, {16, 64, 64}};

struct Product {
  Product(std::int64_t m, std::int64_t n, std::int64_t k, bool trans_a, bool trans_b)
      : shape{trans_a, trans_b, m, n, k, trans_a ? m : k, trans_b ? k : n, n},
        workspace(kernels::gemm_workspace_bytes<kernels::Cpu, float>(shape) / 4) {}

  void run(const Buffer& a, const Buffer& b, const Buffer& c) const {
    kernels::gemm<kernels::Cpu, float>(shape, 1, a.data(), b.data(), 0, c.data(), GemmBias::none,
                                       nullptr, workspace.data(), nullptr);
  }

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
                              {"dx", [&] { input.run(y, w, x); }},
                              {"dw", [&] { weight.run(y, x, w); }},
                              {"multiply-adds", [&] { operations = multiply_adds(); }}});
  const double flops =
      2.0 * static_cast<double>(c.rows) * static_cast<double>(c.in) * static_cast<double>(c.out);
  const double peak = operations / times[3].median;
  std::printf("%5lld %4lld %5lld |", static_cast<long long>(c.rows), static_cast<long long>(c.in),
              static_cast<long long>(c.out));
  for (int i = 0; i < 3; ++i) {
    const double median = times[static_cast<std::size_t>(i)].median;
    std::printf(" %9.1f %6.1f %4.0f%% |", median * 1e6, flops / median * 1e-9,
                100 * flops / median / peak);
  }
  std::printf("\n");
  std::fflush(stdout);
}

}  // namespace
}  // namespace crocuta::bench

int main() {
  using namespace crocuta::bench;
  std::printf(
      "gemm, float32, %s; medians of 9 interleaved rounds: microseconds, GFLOP/s, share of the "
      "multiply-add peak\n\n"
      " rows   in   out |        forward x W^T |             dx = dy W |           dW = dy^T x |\n",
      machine().c_str());
  for (const Case& c : kCases) measure(c);
}
