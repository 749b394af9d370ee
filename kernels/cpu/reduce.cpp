#include "kernels/reduce.h"

#include "kernels/cpu/parallel.h"
#include "kernels/cpu/row.h"

namespace crocuta::kernels {
namespace {

constexpr std::int64_t kSlice = 16384;  // a long sum is cut here, so that threads can share it
constexpr std::int64_t kColumns = 256;  // columns summed together, so that rows are read in order
constexpr std::int64_t kRows = 64;      // rows summed before their sum is added to the total

template <class T>
total_t<accumulator_t<T>> sum_run(std::int64_t n, const T* x) {
  using A = accumulator_t<T>;
  return sum_terms<A>(n, [=](std::int64_t i) { return static_cast<A>(x[i]); });
}

// Sums x [n, inner] over its rows into total [count] for columns [first, first + count).
template <class T>
void sum_columns(std::int64_t n, std::int64_t inner, std::int64_t first, std::int64_t count,
                 const T* x, total_t<accumulator_t<T>>* total) {
  using A = accumulator_t<T>;
  std::fill(total, total + count, 0);
  for (std::int64_t begin = 0; begin < n; begin += kRows) {
    A part[kColumns] = {};
    const std::int64_t end = std::min(n, begin + kRows);
    for (std::int64_t j = begin; j < end; ++j) {
      const T* row = x + j * inner + first;
      for (std::int64_t i = 0; i < count; ++i) part[i] += static_cast<A>(row[i]);
    }
    for (std::int64_t i = 0; i < count; ++i) total[i] += static_cast<total_t<A>>(part[i]);
  }
}

// A sum over n is taken as partial sums over slices of `length` first, then the slices in order.
struct Slices {
  std::int64_t length, count;
};
Slices cut(std::int64_t n, std::int64_t inner) {
  const std::int64_t length = inner <= 1 ? kSlice : std::max<std::int64_t>(kSlice / inner, 64);
  return {length, std::max<std::int64_t>((n + length - 1) / length, 1)};
}
}  // namespace

template <class Device, class T>
std::size_t sum_workspace_bytes(std::int64_t outer, std::int64_t n, std::int64_t inner) {
  return static_cast<std::size_t>(outer * cut(n, inner).count * inner) *
         sizeof(total_t<accumulator_t<T>>);
}

template <class Device, class T>
void sum(std::int64_t outer, std::int64_t n, std::int64_t inner, const T* x, T* y, void* workspace,
         Stream) {
  using A = accumulator_t<T>;
  if (outer * inner == 0) return;
  const std::int64_t length = cut(n, inner).length, slices = cut(n, inner).count;
  const std::int64_t blocks = (inner + kColumns - 1) / kColumns;
  auto* const partial = static_cast<total_t<A>*>(workspace);
  parallel_for(outer * slices * blocks, 1 + 8192 / (length * std::min(inner, kColumns) + 1),
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t job = begin; job < end; ++job) {
                   const std::int64_t block = job % blocks, slice = job / blocks % slices;
                   const std::int64_t o = job / blocks / slices;
                   const std::int64_t rows = std::min(length, n - slice * length);
                   const T* from = x + (o * n + slice * length) * inner;
                   total_t<A>* to = partial + (o * slices + slice) * inner;
                   if (inner == 1) {
                     *to = sum_run(rows, from);
                   } else {
                     const std::int64_t first = block * kColumns;
                     sum_columns(rows, inner, first, std::min(kColumns, inner - first), from,
                                 to + first);
                   }
                 }
               });
  parallel_for(outer * inner, 1 + 8192 / slices, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t job = begin; job < end; ++job) {
      const std::int64_t o = job / inner, i = job % inner;
      total_t<A> total{};
      for (std::int64_t slice = 0; slice < slices; ++slice) {
        total += partial[(o * slices + slice) * inner + i];
      }
      y[job] = T(static_cast<A>(total));
    }
  });
}

template <class Device, class T>
std::size_t sum_of_squares_workspace_bytes(std::int64_t n) {
  return static_cast<std::size_t>((n + kSlice - 1) / kSlice) * sizeof(double);
}

template <class Device, class T>
void sum_of_squares(std::int64_t n, const T* x, double* y, void* workspace, Stream) {
  const std::int64_t slices = (n + kSlice - 1) / kSlice;
  auto* const partial = static_cast<double*>(workspace);
  parallel_for(slices, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t slice = begin; slice < end; ++slice) {
      const T* from = x + slice * kSlice;
      partial[slice] = sum_terms<double>(std::min(kSlice, n - slice * kSlice), [&](std::int64_t i) {
        const auto v = static_cast<double>(static_cast<accumulator_t<T>>(from[i]));
        return v * v;
      });
    }
  });
  *y = 0;
  for (std::int64_t slice = 0; slice < slices; ++slice) *y += partial[slice];
}

#define CROCUTA_INSTANTIATE(T)                                                             \
  template void sum<Cpu, T>(std::int64_t, std::int64_t, std::int64_t, const T*, T*, void*, \
                            Stream);                                                       \
  template std::size_t sum_workspace_bytes<Cpu, T>(std::int64_t, std::int64_t, std::int64_t);
CROCUTA_INSTANTIATE(float)
CROCUTA_INSTANTIATE(double)
CROCUTA_INSTANTIATE(bfloat16)
CROCUTA_INSTANTIATE(float16)
CROCUTA_INSTANTIATE(std::int64_t)
#undef CROCUTA_INSTANTIATE
#define CROCUTA_INSTANTIATE(T)                                                          \
  template void sum_of_squares<Cpu, T>(std::int64_t, const T*, double*, void*, Stream); \
  template std::size_t sum_of_squares_workspace_bytes<Cpu, T>(std::int64_t);
CROCUTA_INSTANTIATE(float)
CROCUTA_INSTANTIATE(double)
CROCUTA_INSTANTIATE(bfloat16)
CROCUTA_INSTANTIATE(float16)
#undef CROCUTA_INSTANTIATE

}  // namespace crocuta::kernels
