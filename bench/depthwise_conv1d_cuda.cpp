// The depthwise convolution on a GPU against what the GPU can do: forward against a copy of as many
// bytes (one stream read, one written), backward against an add (two read, one written), long
// filters against the peak of multiply-adds. 100 % means as fast as that limit.
#include <cstdio>
#include <cstdlib>
#include <string>

#include "bench/device_harness.h"
#include "bench/device_limits.h"
#include "framework/ops/ops.h"
#include "framework/tensor/random.h"
#include "kernels/depthwise_conv1d.h"

namespace crocuta::bench {
namespace {

struct Case {
  std::int64_t B, C, L, K;
  DType dtype;
  std::int64_t group_dim = 1;
  bool causal = true;
};

const Case kCases[] = {
    // Those that docs/gpu-kernels.md sets targets for.
    {8, 4096, 8192, 4, DType::bfloat16},
    {2, 4096, 32768, 3, DType::bfloat16},
    {1, 1536, 131072, 7, DType::bfloat16},
    {4, 768, 2048, 3, DType::float32},
    {1, 384, 32768, 128, DType::float32},
    {8, 4096, 8192, 128, DType::bfloat16},
    // Small ones, of a Hyena model as it might be.
    {1, 768, 2048, 3, DType::float32},
    {4, 768, 2048, 4, DType::float32},
    {2, 1536, 8192, 3, DType::float32},
    {8, 256, 1024, 7, DType::float32},
    // Rows that begin past a boundary, short rows, few rows, shared filters, both paddings.
    {8, 4096, 8191, 4, DType::bfloat16},
    {3, 96, 2047, 3, DType::float32},
    {32, 512, 512, 4, DType::bfloat16},
    {256, 512, 511, 4, DType::bfloat16},
    {1, 64, 262144, 4, DType::float32},
    {8, 4096, 8192, 4, DType::bfloat16, 16},
    {8, 4096, 8192, 4, DType::bfloat16, 4096},
    {8, 4096, 8192, 7, DType::bfloat16, 1, false},
    {4, 4096, 8192, 4, DType::float32},
    {2, 4096, 8192, 4, DType::float64},
    {8, 4096, 8192, 4, DType::float16},
    // Ever more taps.
    {8, 1024, 8192, 1, DType::bfloat16},
    {8, 1024, 8192, 2, DType::bfloat16},
    {8, 1024, 8192, 3, DType::bfloat16},
    {8, 1024, 8192, 5, DType::bfloat16},
    {8, 1024, 8192, 6, DType::bfloat16},
    {8, 1024, 8192, 8, DType::bfloat16},
    {8, 1024, 8192, 9, DType::bfloat16},
    {8, 1024, 8192, 16, DType::bfloat16},
    {2, 384, 1024, 31, DType::float32},
    {8, 1024, 8192, 31, DType::float32},
    {8, 1024, 8192, 31, DType::bfloat16},
    {8, 1024, 8192, 64, DType::float32},
    {8, 256, 8192, 1024, DType::float32},
};

struct Operands {
  Tensor x, dy, y, dx;
};

// Small enough for the emulation: what is left to see is that it runs.
Case small(Case c) {
  const auto at_most = [](std::int64_t n, std::int64_t limit) { return n < limit ? n : limit; };
  c.B = at_most(c.B, 2), c.C = 4, c.L = at_most(c.L, 256), c.K = at_most(c.K, 32);
  c.group_dim = at_most(c.group_dim, c.C);
  return c;
}

// Returns false if the operands are so large that they are never found in the cache.
template <class T>
bool measure(Case c, bool cold, double peak) {
  using kernels::Cuda;
  if (is_emulated()) c = small(c);
  const kernels::DepthwiseConv1dShape shape{
      c.B, c.C, c.L, c.K, c.causal ? c.K - 1 : (c.K - 1) / 2, 0, c.group_dim, c.C / c.group_dim};
  const TensorOptions options{.dtype = c.dtype};
  const Tensor weight = rand({shape.groups, c.K}, options), bias = rand({shape.groups}, options);
  const Tensor dweight = empty(weight.shape(), options), dbias = empty(bias.shape(), options);
  const Tensor workspace =
      empty({kernels::depthwise_conv1d_workspace_bytes<Cuda, T>(shape) / 8 + 1}, {DType::float64});
  const std::int64_t elements = c.B * c.C * c.L;
  const std::int64_t bytes = elements * static_cast<std::int64_t>(sizeof(T)) / 16 * 16;
  const auto size = static_cast<double>(bytes);
  std::vector<Operands> sets;
  const int count = cold_sets(2 * size);
  for (int i = 0; i < (cold ? count : 1); ++i) {
    const Shape all{c.B, c.C, c.L};
    sets.push_back(
        {rand(all, options), rand(all, options), empty(all, options), empty(all, options)});
  }
  const kernels::Stream stream = current_stream(default_device());
  const auto data = [](const Tensor& tensor) { return static_cast<T*>(tensor.raw_data()); };
  const auto at = [&](int i) -> const Operands& { return sets[static_cast<std::size_t>(i)]; };
  const auto times = compare_on_device(
      {{"copy", [&](int i) { device_copy(bytes, at(i).x.raw_data(), at(i).y.raw_data(), stream); }},
       {"memcpy",
        [&](int i) { device_memcpy(bytes, at(i).x.raw_data(), at(i).y.raw_data(), stream); }},
       {"forward",
        [&](int i) {
          kernels::depthwise_conv1d_forward<Cuda, T>(shape, data(at(i).x), data(weight), data(bias),
                                                     data(at(i).y), stream);
        }},
       {"add",
        [&](int i) {
          device_add(bytes, at(i).x.raw_data(), at(i).dy.raw_data(), at(i).dx.raw_data(), stream);
        }},
       {"backward",
        [&](int i) {
          kernels::depthwise_conv1d_backward<Cuda, T>(shape, data(at(i).x), data(weight),
                                                      data(at(i).dy), data(at(i).dx), data(dweight),
                                                      data(dbias), workspace.raw_data(), stream);
        }}},
      static_cast<int>(sets.size()));
  // The faster of the two copies is the limit.
  const double copy = std::min(times[0].median, times[1].median), forward = times[2].median;
  const double add = times[3].median, backward = times[4].median;
  const double operations = 2.0 * static_cast<double>(elements) * static_cast<double>(c.K);
  std::printf(
      "%3lld %4lld %6lld %4lld %-8s %-6s %4lld %-4s | %8.1f %5.2f | %8.1f %5.1f%% %5.1f%% | %8.1f "
      "| %8.1f %5.1f%% %5.1f%%%s\n",
      static_cast<long long>(c.B), static_cast<long long>(c.C), static_cast<long long>(c.L),
      static_cast<long long>(c.K), std::string(name(c.dtype)).c_str(), c.causal ? "causal" : "same",
      static_cast<long long>(c.group_dim),
      count == 1 ? ""
      : cold     ? "cold"
                 : "warm",
      copy * 1e6, 2e-12 * size / copy, forward * 1e6, 100 * copy / forward,
      100 * operations / forward / peak, add * 1e6, backward * 1e6, 100 * add / backward,
      200 * operations / backward / peak, times[0].spread > 0.2 ? "  (copy unsteady)" : "");
  std::fflush(stdout);
  return count > 1;
}

bool measure(const Case& c, bool cold, double peak) {
  switch (c.dtype) {
    case DType::float32:
      return measure<float>(c, cold, peak);
    case DType::float64:
      return measure<double>(c, cold, peak / 2);
    case DType::bfloat16:
      return measure<bfloat16>(c, cold, peak);
    default:
      return measure<float16>(c, cold, peak);
  }
}

void measure(int argc, char** argv) {
  const kernels::Stream stream = current_stream(default_device());
  const Tensor sink = empty({1});
  double operations = 0;
  const DeviceCandidate multiply_adds{
      "multiply-adds", [&](int) { operations = device_multiply_adds(sink.data<float>(), stream); }};
  // The emulation would take minutes, for nothing.
  double peak = 1e12;
  if (!is_emulated()) {
    const double seconds = compare_on_device({multiply_adds}, 1)[0].median;
    peak = operations / seconds;
  }
  std::printf(
      "depthwise_conv1d, %s; medians of 9 interleaved rounds, microseconds\n"
      "copy: the faster of a kernel and cudaMemcpy; %%: time of the limit / time of the kernel; "
      "FMA: of %.1f TFLOP/s\n"
      "cold: operands in turn, four times as many as the L2 cache holds\n\n"
      "  B    C      L    K dtype    mode     gd L2   |     copy  TB/s |  forward   copy    FMA |"
      "      add | backward    add    FMA\n",
      machine(default_device()).c_str(), 1e-12 * peak);
  for (std::size_t i = 0; i < std::size(kCases); ++i) {
    if (argc > 1 && std::strtoul(argv[1], nullptr, 10) != i) continue;
    if (measure(kCases[i], true, peak)) measure(kCases[i], false, peak);
  }
}

}  // namespace
}  // namespace crocuta::bench

// An argument chooses one case by its number, from 0.
int main(int argc, char** argv) {
  return crocuta::bench::run_on_gpu("bench_depthwise_conv1d_cuda",
                                    [&] { crocuta::bench::measure(argc, argv); });
}
