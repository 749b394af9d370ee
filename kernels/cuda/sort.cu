// Merge sort in which every key finds its place by itself: among distinct keys, that is how many
// are smaller. Needs no atomics and depends on nothing but the keys.
#include "kernels/cuda/sort.h"

#include "kernels/cuda/toolbox/launch.h"
#include "kernels/cuda/toolbox/search.h"

namespace crocuta::kernels {
namespace {

// Sorts runs of kBlockThreads keys.
__global__ void __launch_bounds__(kBlockThreads)
    sort_runs_kernel(std::int64_t n, const std::int64_t* keys, std::int64_t* sorted) {
  CROCUTA_SHARED(std::int64_t, run, kBlockThreads);
  const int thread = static_cast<int>(threadIdx.x);
  const std::int64_t stride = static_cast<std::int64_t>(gridDim.x) * kBlockThreads;
  for (std::int64_t begin = static_cast<std::int64_t>(blockIdx.x) * kBlockThreads; begin < n;
       begin += stride) {
    const int size = static_cast<int>(n - begin < kBlockThreads ? n - begin : kBlockThreads);
    __syncthreads();
    if (thread < size) run[thread] = keys[begin + thread];
    __syncthreads();
    if (thread >= size) continue;
    int smaller = 0;
    for (int k = 0; k < size; ++k) smaller += run[k] < run[thread];
    sorted[begin + smaller] = run[thread];
  }
}

// Merges neighbouring sorted runs of `width` keys.
__global__ void __launch_bounds__(kBlockThreads)
    merge_runs_kernel(std::int64_t n, std::int64_t width, const std::int64_t* keys,
                      std::int64_t* merged) {
  for (std::int64_t i = grid_index(); i < n; i += grid_stride()) {
    const std::int64_t run = i / width;
    const std::int64_t other = (run ^ 1) * width;
    const std::int64_t size = other >= n ? 0 : n - other < width ? n - other : width;
    const std::int64_t smaller = count_less(size, keys + other, keys[i]);
    merged[i % width + (run & ~std::int64_t{1}) * width + smaller] = keys[i];
  }
}

}  // namespace

std::int64_t* sort_distinct(std::int64_t n, std::int64_t* keys, std::int64_t* spare,
                            Stream stream) {
  launch("sort", sort_runs_kernel, grid_for(n), stream, n, keys, spare);
  std::int64_t* from = spare;
  std::int64_t* to = keys;
  for (std::int64_t width = kBlockThreads; width < n; width *= 2) {
    launch("sort", merge_runs_kernel, grid_for(n), stream, n, width, from, to);
    std::int64_t* const sorted = to;
    to = from;
    from = sorted;
  }
  return from;
}

}  // namespace crocuta::kernels
