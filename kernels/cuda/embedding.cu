#include "kernels/embedding.h"

#include "kernels/cuda/sort.h"
#include "kernels/cuda/toolbox/row.h"
#include "kernels/cuda/toolbox/search.h"

namespace crocuta::kernels {
namespace {

constexpr int kCheckThreads = 1024;

struct Smaller {
  __device__ std::int64_t operator()(std::int64_t a, std::int64_t b) const { return b < a ? b : a; }
};

// One block: the ids are few beside the rows that they stand for.
__global__ void __launch_bounds__(kCheckThreads)
    check_ids_kernel(std::int64_t n, const std::int64_t* ids, std::int64_t limit, bool ignores,
                     std::int64_t ignored, std::int64_t* result) {
  std::int64_t first = n, counted = 0;
#pragma unroll 4
  for (std::int64_t i = threadIdx.x; i < n; i += kCheckThreads) {
    const std::int64_t id = ids[i];
    if (ignores && id == ignored) continue;
    ++counted;
    if (id < 0 || id >= limit) first = Smaller{}(first, i);
  }
  first = block_reduce(first, n, Smaller{});
  counted = block_sum(counted);
  if (threadIdx.x == 0) {
    result[0] = first;
    result[1] = counted;
  }
}

template <class Plan, class T>
__global__ void __launch_bounds__(Plan::kThreads)
    embedding_forward_kernel(std::int64_t n, std::int64_t dim, const std::int64_t* ids,
                             const T* table, T* y, bool aligned) {
  for_each_row(n, [&](std::int64_t i, bool here) {
    if (!here) return;
    const Row<Plan> row(dim, aligned);
    row.write(
        y + i * dim, [](T value) { return value; }, row.hold(table + ids[i] * dim));
  });
}

// The backward pass sorts the positions by id and cuts the sorted list into tiles. A run of one id
// within a tile is summed by one team, and a run that reaches over several tiles from its parts: so
// it takes as long when all ids are equal as when no two are.
constexpr std::int64_t kTile = 64;
constexpr int kRowsAtOnce = 4;  // that a thread loads

// A position with its id: sorted by id, and by position where ids are equal.
struct Keys {
  int bits;  // of the position

  __device__ std::int64_t key(std::int64_t id, std::int64_t position) const {
    return (id << bits) | position;
  }
  __device__ std::int64_t id(std::int64_t key) const { return key >> bits; }
  __device__ std::int64_t position(std::int64_t key) const {
    return key & ((std::int64_t{1} << bits) - 1);
  }
};

// What the workspace holds.
struct Sorted {
  Keys pack;
  const std::int64_t* keys;   // [n]
  const std::int64_t* first;  // [vocabulary + 1]: of the keys of each id
  double* parts;              // [tiles, 2, dim]: the sums of a tile's first run, and of its last
};

__global__ void __launch_bounds__(kBlockThreads)
    make_keys_kernel(std::int64_t n, Keys pack, const std::int64_t* ids, std::int64_t* keys) {
  for (std::int64_t i = grid_index(); i < n; i += grid_stride()) keys[i] = pack.key(ids[i], i);
}
__global__ void __launch_bounds__(kBlockThreads)
    find_first_kernel(std::int64_t n, std::int64_t vocabulary, Keys pack, const std::int64_t* keys,
                      std::int64_t* first) {
  for (std::int64_t id = grid_index(); id <= vocabulary; id += grid_stride()) {
    first[id] = count_less(n, keys, pack.key(id, 0));
  }
}

template <class T, int N>
__device__ void round_to(T* y, const Vector<double, N>& sum, bool aligned) {
  Vector<T, N> rounded;
#pragma unroll
  for (int j = 0; j < N; ++j) rounded[j] = T(static_cast<accumulator_t<T>>(sum[j]));
  store_group(y, rounded, aligned);
}

// A team per tile: writes the sums of runs that lie in the tile to the table, of others to parts.
template <int N, class T>
__global__ void __launch_bounds__(kLongRowThreads)
    embedding_sum_tiles_kernel(std::int64_t n, std::int64_t dim, Sorted sorted, const T* dy,
                               T* dtable, bool aligned) {
  for_each_row(ceil_div(n, kTile), [&](std::int64_t tile, bool here) {
    const std::int64_t begin = tile * kTile, end = begin + kTile < n ? begin + kTile : n;
    if (!here) return;
    for (std::int64_t i = threadIdx.x * N; i < dim; i += blockDim.x * N) {
      const auto finish = [&](std::int64_t id, const Vector<double, N>& sum) {
        const std::int64_t first = sorted.first[id];
        if (first >= begin && sorted.first[id + 1] <= end) {
          round_to(dtable + id * dim + i, sum, aligned);
        } else {
          double* const part = sorted.parts + (2 * tile + (first > begin)) * dim + i;
#pragma unroll
          for (int j = 0; j < N; ++j) part[j] = sum[j];
        }
      };
      std::int64_t id = sorted.pack.id(sorted.keys[begin]);
      Vector<double, N> sum = {};
      for (std::int64_t p = begin; p < end; p += kRowsAtOnce) {
        std::int64_t ids[kRowsAtOnce] = {};
        Vector<T, N> terms[kRowsAtOnce] = {};
#pragma unroll
        for (int u = 0; u < kRowsAtOnce; ++u) {
          if (p + u >= end) continue;
          const std::int64_t key = sorted.keys[p + u];
          ids[u] = sorted.pack.id(key);
          terms[u] = load_group<N>(dy + sorted.pack.position(key) * dim + i, aligned);
        }
#pragma unroll
        for (int u = 0; u < kRowsAtOnce; ++u) {
          if (p + u >= end) continue;
          if (ids[u] != id) {
            finish(id, sum);
            id = ids[u];
            sum = {};
          }
#pragma unroll
          for (int j = 0; j < N; ++j) {
            sum[j] += static_cast<double>(static_cast<accumulator_t<T>>(terms[u][j]));
          }
        }
      }
      finish(id, sum);
    }
  });
}

// A team per id: adds up the parts of a run that reaches over several tiles, and clears the rows of
// ids that occur nowhere.
template <int N, class T>
__global__ void __launch_bounds__(kLongRowThreads)
    embedding_join_tiles_kernel(std::int64_t vocabulary, std::int64_t dim, Sorted sorted, T* dtable,
                                bool aligned) {
  for_each_row(vocabulary, [&](std::int64_t id, bool here) {
    if (!here) return;
    const std::int64_t begin = sorted.first[id], end = sorted.first[id + 1];
    const std::int64_t tile = begin / kTile, last = (end - 1) / kTile;
    if (begin < end && tile == last) return;
    for (std::int64_t i = threadIdx.x * N; i < dim; i += blockDim.x * N) {
      Vector<double, N> sum = {};
      for (std::int64_t t = tile; begin < end && t <= last; ++t) {
        const double* const part = sorted.parts + (2 * t + (begin > t * kTile)) * dim + i;
#pragma unroll
        for (int j = 0; j < N; ++j) sum[j] += part[j];
      }
      round_to(dtable + id * dim + i, sum, aligned);
    }
  });
}

// In the order in which they lie in the workspace.
struct Workspace {
  std::size_t keys, spare, first, parts;  // bytes

  std::size_t bytes() const { return keys + spare + first + parts; }
};
Workspace workspace_for(std::int64_t n, std::int64_t dim, std::int64_t vocabulary) {
  const auto bytes = [](std::int64_t count) {  // 64 divides the addresses of all parts
    return static_cast<std::size_t>(ceil_div(count * 8, 64) * 64);
  };
  return {bytes(n), bytes(n), bytes(vocabulary + 1), bytes(ceil_div(n, kTile) * 2 * dim)};
}

}  // namespace

template <class Device>
void check_ids(std::int64_t n, const std::int64_t* ids, std::int64_t limit,
               std::optional<std::int64_t> ignored, std::int64_t* result, Stream stream) {
  LaunchConfig config;
  config.block = dim3(kCheckThreads);
  launch("check_ids", check_ids_kernel, config, stream, n, ids, limit, ignored.has_value(),
         ignored.value_or(0), result);
}

template <class Device, class T>
void embedding_forward(std::int64_t n, std::int64_t dim, const std::int64_t* ids, const T* table,
                       T* y, Stream stream) {
  const bool aligned = vectors_aligned(table, y);
  plan_rows<T>(n, dim, [&](auto plan, const LaunchConfig& config) {
    launch("embedding", embedding_forward_kernel<decltype(plan), T>, config, stream, n, dim, ids,
           table, y, aligned);
  });
}

template <class Device, class T>
void embedding_backward(std::int64_t n, std::int64_t dim, std::int64_t vocabulary,
                        const std::int64_t* ids, const T* dy, T* dtable, void* workspace,
                        Stream stream) {
  const Workspace sizes = workspace_for(n, dim, vocabulary);
  auto* const base = static_cast<unsigned char*>(workspace);
  const auto keys = reinterpret_cast<std::int64_t*>(base);
  const auto spare = reinterpret_cast<std::int64_t*>(base + sizes.keys);
  const auto first = reinterpret_cast<std::int64_t*>(base + sizes.keys + sizes.spare);
  const auto parts = reinterpret_cast<double*>(base + sizes.keys + sizes.spare + sizes.first);
  Keys pack{0};
  while ((std::int64_t{1} << pack.bits) < n) ++pack.bits;

  const char* name = "embedding_backward";
  launch(name, make_keys_kernel, grid_for(n), stream, n, pack, ids, keys);
  const Sorted sorted{pack, sort_distinct(n, keys, spare, stream), first, parts};
  launch(name, find_first_kernel, grid_for(vocabulary + 1), stream, n, vocabulary, pack,
         sorted.keys, first);
  const bool aligned = vectors_aligned(dy, dtable);
  plan_rows<T>(ceil_div(n, kTile), dim, [&](auto plan, const LaunchConfig& config) {
    launch(name, embedding_sum_tiles_kernel<decltype(plan)::kWidth, T>, config, stream, n, dim,
           sorted, dy, dtable, aligned);
  });
  plan_rows<T>(vocabulary, dim, [&](auto plan, const LaunchConfig& config) {
    launch(name, embedding_join_tiles_kernel<decltype(plan)::kWidth, T>, config, stream, vocabulary,
           dim, sorted, dtable, aligned);
  });
}
template <class Device>
std::size_t embedding_backward_workspace_bytes(std::int64_t n, std::int64_t dim,
                                               std::int64_t vocabulary) {
  return workspace_for(n, dim, vocabulary).bytes();
}

template void check_ids<Cuda>(std::int64_t, const std::int64_t*, std::int64_t,
                              std::optional<std::int64_t>, std::int64_t*, Stream);
template std::size_t embedding_backward_workspace_bytes<Cuda>(std::int64_t, std::int64_t,
                                                              std::int64_t);
#define CROCUTA_INSTANTIATE(T)                                                              \
  template void embedding_forward<Cuda, T>(std::int64_t, std::int64_t, const std::int64_t*, \
                                           const T*, T*, Stream);                           \
  template void embedding_backward<Cuda, T>(std::int64_t, std::int64_t, std::int64_t,       \
                                            const std::int64_t*, const T*, T*, void*, Stream);
CROCUTA_INSTANTIATE(float)
CROCUTA_INSTANTIATE(double)
CROCUTA_INSTANTIATE(bfloat16)
CROCUTA_INSTANTIATE(float16)
#undef CROCUTA_INSTANTIATE

}  // namespace crocuta::kernels
