// Element-by-element functions, norms and losses against a copy of the same size: all of them read
// and write memory once or twice, and the copy is what that costs.
#include <cstdio>
#include <vector>

#include "bench/harness.h"
#include "bench/limits.h"
#include "kernels/cross_entropy.h"
#include "kernels/dropout.h"
#include "kernels/elementwise.h"
#include "kernels/embedding.h"
#include "kernels/layer_norm.h"
#include "kernels/reduce.h"
#include "kernels/softmax.h"
#include "kernels/unary_functors.h"

using namespace crocuta;
using namespace crocuta::kernels;

namespace {

constexpr std::int64_t kElements = std::int64_t{1} << 22;
constexpr std::int64_t kColumns = 512;
constexpr std::int64_t kRows = kElements / kColumns;
constexpr auto kSize = static_cast<std::size_t>(kElements);

struct Memory {
  bench::Buffer x{kSize}, dy{kSize}, y{kSize};
  bench::Buffer weight{kColumns}, bias{kColumns}, dweight{kColumns}, dbias{kColumns};
  bench::Buffer mean{kRows}, rstd{kRows};
  std::vector<std::int64_t> ids;
  std::vector<char> sum, layer_norm, embedding;  // workspaces

  Memory() {
    for (std::int64_t i = 0; i < kRows; ++i) ids.push_back(i * i * 7 % kColumns);
    sum.resize(sum_workspace_bytes<Cpu, float>(1, kElements, 1));
    layer_norm.resize(layer_norm_backward_workspace_bytes<Cpu, float>(kRows, kColumns));
    embedding.resize(embedding_backward_workspace_bytes<Cpu>(kRows, 1, kColumns));
  }
};

template <class Op>
bench::Candidate forward(const char* name, const Memory& m, Op op) {
  return {name,
          [&m, op] { unary<Cpu, Op, float>(kElements, op, m.x.data(), m.y.data(), nullptr); }};
}
template <class Op>
bench::Candidate backward(const char* name, const Memory& m, Op op) {
  return {name, [&m, op] {
            unary_backward<Cpu, Op, float>(kElements, op, m.x.data(), m.dy.data(), m.y.data(),
                                           nullptr);
          }};
}

std::vector<bench::Candidate> candidates(Memory& m) {
  return {
      {"copy", [&m] { bench::copy(kSize, m.x.data(), m.y.data()); }},
      {"add", [&m] { bench::add(kSize, m.x.data(), m.dy.data(), m.y.data()); }},
      forward("exp", m, Exp{}),
      forward("sin", m, Sin{}),
      forward("tanh", m, Tanh{}),
      forward("silu", m, Silu{}),
      backward("silu backward", m, SiluBackward{}),
      forward("gelu", m, Gelu{}),
      backward("gelu backward", m, GeluBackward{}),
      {"sum",
       [&m] {
         sum<Cpu, float>(1, kElements, 1, m.x.data(), m.mean.data(), m.sum.data(), nullptr);
       }},
      {"dropout",
       [&m] {
         dropout<Cpu, float>({.rows = kElements, .global_rows = kElements}, 1, 2, 1u << 30, 1.5,
                             m.x.data(), m.y.data(), nullptr);
       }},
      {"softmax",
       [&m] { softmax_forward<Cpu, float>(kRows, kColumns, m.x.data(), m.y.data(), nullptr); }},
      {"softmax backward",
       [&m] {
         softmax_backward<Cpu, float>(kRows, kColumns, m.x.data(), m.dy.data(), m.y.data(),
                                      nullptr);
       }},
      {"layer_norm",
       [&m] {
         layer_norm_forward<Cpu, float>(kRows, kColumns, 1e-5, m.x.data(), m.weight.data(),
                                        m.bias.data(), m.y.data(), m.mean.data(), m.rstd.data(),
                                        nullptr);
       }},
      {"layer_norm backward",
       [&m] {
         layer_norm_backward<Cpu, float>(kRows, kColumns, m.x.data(), m.weight.data(),
                                         m.mean.data(), m.rstd.data(), m.dy.data(), m.y.data(),
                                         m.dweight.data(), m.dbias.data(), m.layer_norm.data(),
                                         nullptr);
       }},
      {"embedding",
       [&m] {
         embedding_forward<Cpu, float>(kRows, kColumns, m.ids.data(), m.x.data(), m.y.data(),
                                       nullptr);
       }},
      {"embedding backward",
       [&m] {
         embedding_backward<Cpu, float>(kRows, kColumns, kColumns, m.ids.data(), m.dy.data(),
                                        m.y.data(), m.embedding.data(), nullptr);
       }},
      {"cross_entropy",
       [&m] {
         cross_entropy_forward<Cpu, float>(kRows, kColumns, -100, m.x.data(), m.ids.data(),
                                           m.mean.data(), m.rstd.data(), nullptr);
       }},
      {"cross_entropy backward",
       [&m] {
         cross_entropy_backward<Cpu, float>(kRows, kColumns, -100, 1.0, m.x.data(), m.ids.data(),
                                            m.rstd.data(), m.weight.data(), m.y.data(), nullptr);
       }},
  };
}

}  // namespace

int main() {
  Memory memory;
  const std::vector<bench::Candidate> list = candidates(memory);
  const std::vector<bench::Timing> timings = bench::compare(list);
  std::printf("%s, float32, %lld elements (rows of %lld)\n", bench::machine().c_str(),
              static_cast<long long>(kElements), static_cast<long long>(kColumns));
  std::printf("%-24s %10s %12s %8s\n", "", "ms", "times copy", "spread");
  for (std::size_t i = 0; i < list.size(); ++i) {
    std::printf("%-24s %10.3f %12.2f %7.0f%%\n", list[i].name.c_str(), timings[i].median * 1e3,
                timings[i].median / timings[0].median, timings[i].spread * 100);
  }
}
