#include "kernels/embedding.h"

#include <algorithm>

#include "kernels/cpu/parallel.h"
#include "kernels/cpu/row.h"

namespace crocuta::kernels {

template <class Device>
void check_ids(std::int64_t n, const std::int64_t* ids, std::int64_t limit,
               std::optional<std::int64_t> ignored, std::int64_t* result, Stream) {
  result[0] = n;
  result[1] = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    if (ids[i] == ignored) continue;
    ++result[1];
    if ((ids[i] < 0 || ids[i] >= limit) && result[0] == n) result[0] = i;
  }
}

template <class Device, class T>
void embedding_forward(std::int64_t n, std::int64_t dim, const std::int64_t* ids, const T* table,
                       T* y, Stream) {
  parallel_for(n, rows_per_task(dim), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      std::copy_n(table + ids[i] * dim, dim, y + i * dim);
    }
  });
}

template <class Device, class T>
void embedding_backward(std::int64_t n, std::int64_t dim, std::int64_t vocabulary,
                        const std::int64_t* ids, const T* dy, T* dtable, void* workspace, Stream) {
  // Positions sorted by id, in order within each id: those of id v are first[v] .. first[v + 1].
  std::int64_t* first = static_cast<std::int64_t*>(workspace);
  std::int64_t* positions = first + vocabulary + 1;
  std::fill(first, first + vocabulary + 1, 0);
  for (std::int64_t i = 0; i < n; ++i) ++first[ids[i]];
  for (std::int64_t v = 0, sum = 0; v <= vocabulary; ++v) {
    sum += first[v];
    first[v] = sum;
  }
  for (std::int64_t i = n - 1; i >= 0; --i) positions[--first[ids[i]]] = i;

  // A task owns some columns of one row of the table; sums are kept in double.
  constexpr std::int64_t kColumns = 64;
  const std::int64_t chunks = (dim + kColumns - 1) / kColumns;
  const std::int64_t grain =
      std::max<std::int64_t>(1, vocabulary * chunks * kElementsPerTask / ((n + 1) * (dim + 1)));
  parallel_for(vocabulary * chunks, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t task = begin; task < end; ++task) {
      const std::int64_t v = task / chunks;
      const std::int64_t column = task % chunks * kColumns;
      const std::int64_t width = std::min(kColumns, dim - column);
      double sum[kColumns] = {};
      for (std::int64_t p = first[v]; p < first[v + 1]; ++p) {
        const T* row = dy + positions[p] * dim + column;
#pragma omp simd
        for (std::int64_t j = 0; j < width; ++j) {
          sum[j] += static_cast<double>(static_cast<accumulator_t<T>>(row[j]));
        }
      }
      for (std::int64_t j = 0; j < width; ++j) {
        dtable[v * dim + column + j] = T(static_cast<accumulator_t<T>>(sum[j]));
      }
    }
  });
}

template <class Device>
std::size_t embedding_backward_workspace_bytes(std::int64_t n, std::int64_t,
                                               std::int64_t vocabulary) {
  return static_cast<std::size_t>(n + vocabulary + 1) * sizeof(std::int64_t);
}

template void check_ids<Cpu>(std::int64_t, const std::int64_t*, std::int64_t,
                             std::optional<std::int64_t>, std::int64_t*, Stream);
template std::size_t embedding_backward_workspace_bytes<Cpu>(std::int64_t, std::int64_t,
                                                             std::int64_t);
#define CROCUTA_INSTANTIATE(T)                                                             \
  template void embedding_forward<Cpu, T>(std::int64_t, std::int64_t, const std::int64_t*, \
                                          const T*, T*, Stream);                           \
  template void embedding_backward<Cpu, T>(std::int64_t, std::int64_t, std::int64_t,       \
                                           const std::int64_t*, const T*, T*, void*, Stream);
CROCUTA_INSTANTIATE(float)
CROCUTA_INSTANTIATE(double)
CROCUTA_INSTANTIATE(bfloat16)
CROCUTA_INSTANTIATE(float16)
#undef CROCUTA_INSTANTIATE

}  // namespace crocuta::kernels
