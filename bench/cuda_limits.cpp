// What the GPU can do: copies, additions and multiply-adds, for sizes in and beyond the L2 cache.
#include <cstdio>

#include "bench/device_harness.h"
#include "bench/device_limits.h"
#include "framework/ops/ops.h"
#include "framework/tensor/random.h"

namespace crocuta::bench {
namespace {

void measure() {
  const kernels::Stream stream = current_stream(default_device());
  std::printf(
      "%s; medians of 9 interleaved rounds; TB/s of bytes read and written\n\n"
      "      MiB | copy kernel   memcpy      add  (cold)  | copy kernel   memcpy      add  "
      "(warm)\n",
      machine(default_device()).c_str());
  for (std::int64_t mebibytes : {1, 2, 8, 32, 128, 512, 1024}) {
    if (is_emulated() && mebibytes > 1) break;
    const std::int64_t bytes = mebibytes << 20;
    const auto sizes = static_cast<double>(bytes);
    std::printf("%9lld |", static_cast<long long>(mebibytes));
    for (const int sets : {cold_sets(2 * sizes), 1}) {
      std::vector<Tensor> a, b, y;
      for (int i = 0; i < sets; ++i) {
        for (auto* tensors : {&a, &b, &y}) tensors->push_back(rand({bytes / 4}));
      }
      const auto at = [](const std::vector<Tensor>& tensors, int i) {
        return tensors[static_cast<std::size_t>(i)].raw_data();
      };
      const auto times = compare_on_device(
          {{"copy", [&](int i) { device_copy(bytes, at(a, i), at(y, i), stream); }},
           {"memcpy", [&](int i) { device_memcpy(bytes, at(a, i), at(y, i), stream); }},
           {"add", [&](int i) { device_add(bytes, at(a, i), at(b, i), at(y, i), stream); }}},
          sets);
      std::printf("%12.3f %8.3f %8.3f          |", 2e-12 * sizes / times[0].median,
                  2e-12 * sizes / times[1].median, 3e-12 * sizes / times[2].median);
    }
    std::printf("\n");
    std::fflush(stdout);
  }
  if (is_emulated()) return;
  const Tensor sink = empty({1});
  double operations = 0;
  const auto times = compare_on_device(
      {{"multiply-adds",
        [&](int) { operations = device_multiply_adds(sink.data<float>(), stream); }}},
      1);
  std::printf("\nfloat32 multiply-adds: %.1f TFLOP/s\n", 1e-12 * operations / times[0].median);
}

}  // namespace
}  // namespace crocuta::bench

int main() {
  return crocuta::bench::run_on_gpu("bench_cuda_limits", crocuta::bench::measure);
}
