// The depthwise convolution against what the machine can do: forward against a copy (one stream
// read, one written), backward against an add (two read, one written), long filters against the
// peak of multiply-adds. 100 % means as fast as that limit.
#include <cstdio>
#include <cstdlib>
#include <string>

#include "bench/harness.h"
#include "bench/limits.h"
#include "kernels/depthwise_conv1d.h"

namespace crocuta::bench {
namespace {

struct Case {
  std::int64_t B, C, L, K;
};

// The two largest are beyond the last-level cache of most machines.
constexpr Case kCases[] = {{1, 768, 2048, 3},  {4, 768, 2048, 4},   {2, 1536, 8192, 3},
                           {8, 256, 1024, 7},  {2, 384, 1024, 31},  {1, 384, 32768, 128},
                           {3, 96, 2047, 3},   {32, 512, 512, 4},   {1, 64, 262144, 4},
                           {4, 4096, 8192, 4}, {1, 2048, 131072, 3}};

void measure(const Case& c, bool causal, std::int64_t group_dim) {
  const auto n = static_cast<std::size_t>(c.B * c.C * c.L);
  const kernels::DepthwiseConv1dShape shape{
      c.B, c.C, c.L, c.K, causal ? c.K - 1 : (c.K - 1) / 2, 0, group_dim, c.C / group_dim};
  const Buffer x(n), dy(n), y(n), weight(static_cast<std::size_t>(shape.groups * c.K));
  const Buffer dweight(weight.size()), bias(static_cast<std::size_t>(shape.groups));
  const Buffer dbias(bias.size());
  const std::int64_t bytes = kernels::depthwise_conv1d_workspace_bytes<kernels::Cpu, float>(shape);
  const Buffer workspace(static_cast<std::size_t>(bytes / 4));
  double operations = 0;
  const auto times = compare({
      {"copy", [&] { copy(n, x.data(), y.data()); }},
      {"stream copy", [&] { stream_copy(n, x.data(), y.data()); }},
      {"forward",
       [&] {
         kernels::depthwise_conv1d_forward<kernels::Cpu, float>(shape, x.data(), weight.data(),
                                                                bias.data(), y.data(), nullptr);
       }},
      {"add", [&] { add(n, x.data(), dy.data(), y.data()); }},
      {"backward",
       [&] {
         kernels::depthwise_conv1d_backward<kernels::Cpu, float>(
             shape, x.data(), weight.data(), dy.data(), y.data(), dweight.data(), dbias.data(),
             workspace.data(), nullptr);
       }},
      {"multiply-adds", [&] { operations = multiply_adds(); }},
  });
  const double taps = static_cast<double>(n) * static_cast<double>(c.K);
  const double peak = operations / times[5].median;
  const double forward = times[2].median, backward = times[4].median;
  std::printf(
      "%2lld %5lld %7lld %4lld %-6s %2lld | %8.0f %6.1f %5.0f%% | %8.0f %5.0f%% %5.0f%% "
      "| %8.0f %5.0f%% %5.0f%%%s\n",
      static_cast<long long>(c.B), static_cast<long long>(c.C), static_cast<long long>(c.L),
      static_cast<long long>(c.K), causal ? "causal" : "same", static_cast<long long>(group_dim),
      times[0].median * 1e6, static_cast<double>(n) * 8e-9 / times[0].median,
      100 * times[0].median / times[1].median, forward * 1e6, 100 * times[0].median / forward,
      100 * 2 * taps / forward / peak, backward * 1e6, 100 * times[3].median / backward,
      100 * 4 * taps / backward / peak, times[0].spread > 0.2 ? "  (copy unsteady)" : "");
  std::fflush(stdout);
}

}  // namespace
}  // namespace crocuta::bench

// An argument chooses one case by its number, from 0.
int main(int argc, char** argv) {
  using namespace crocuta::bench;
  std::printf(
      "depthwise_conv1d, float32, %s; medians of 9 interleaved rounds\n"
      "%% of copy, add: time of the limit / time of the kernel; %% of FMA: operations\n\n"
      " B     C       L    K mode   gd |  copy us   GB/s   nt   |  fwd us  copy   FMA "
      "|   bwd us   add   FMA\n",
      machine().c_str());
  for (std::size_t i = 0; i < std::size(kCases); ++i) {
    if (argc > 1 && std::strtoul(argv[1], nullptr, 10) != i) continue;
    measure(kCases[i], true, 1);
    if (argc > 1) {
      measure(kCases[i], false, 1);
      measure(kCases[i], true, 16);
    }
  }
}
