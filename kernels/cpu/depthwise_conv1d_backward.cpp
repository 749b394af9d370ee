#include "kernels/cpu/cache.h"
#include "kernels/cpu/depthwise_conv1d_long.h"
#include "kernels/cpu/depthwise_conv1d_short.h"
#include "kernels/cpu/parallel.h"
#include "kernels/depthwise_conv1d.h"

namespace crocuta::kernels {

// In depthwise_conv1d_forward.cpp.
template <class T>
void depthwise_conv1d_dx(const DepthwiseConv1dShape& shape, const T* dy, const T* weight, T* dx);

namespace {

template <class T>
using RowKernel = void (*)(const Filter<T>&, const T*, const T*, std::int64_t, T*, double*,
                           std::int64_t, std::int64_t, bool);

template <class T>
RowKernel<T> choose_row_kernel(std::int64_t taps) {
  switch (taps) {
    case 1:
      return backward_short<T, 1>;
    case 2:
      return backward_short<T, 2>;
    case 3:
      return backward_short<T, 3>;
    case 4:
      return backward_short<T, 4>;
    case 5:
      return backward_short<T, 5>;
    case 6:
      return backward_short<T, 6>;
    case 7:
      return backward_short<T, 7>;
    case kShortFilter:
      return backward_short<T, kShortFilter>;
    default:
      return backward_long<T>;
  }
}

// How the sums over batches, samples and channels are cut into units that threads work on, at least
// 128 where there is so much: chunks of neighbouring channels, times parts of the sequence of all
// (batch, tile) pairs. A unit has one row of K + 1 sums per group its channels touch, so that the
// workspace grows neither with the batch nor with the channels of a group.
struct Units {
  static constexpr std::int64_t kWanted = 128;

  explicit Units(const DepthwiseConv1dShape& s)
      : tiles(s.length), items(s.batch * tiles.count), chunk((s.channels + kWanted - 1) / kWanted) {
    if (items == 0 || s.channels == 0) return;
    chunks = (s.channels + chunk - 1) / chunk;
    parts = std::min(items, (kWanted + chunks - 1) / chunks);
    slots = std::min(chunk, (chunk - 1) / s.group_dim + 2);
  }
  std::int64_t count() const { return chunks * parts; }
  // The first item of part p.
  std::int64_t first_item(std::int64_t p) const {
    return items / parts * p + std::min(p, items % parts);
  }

  RowTiles tiles;
  std::int64_t items;  // per channel
  std::int64_t chunk;  // channels
  std::int64_t chunks = 0, parts = 0, slots = 0;
};

// The first pass: dx, and the sums [slots, K + 1] of each unit.
template <class T>
void backward_rows(const DepthwiseConv1dShape& shape, const Units& units, const T* x,
                   const T* weight, const T* dy, T* dx, double* sums) {
  const std::int64_t L = shape.length, K = shape.kernel_size;
  const RowKernel<T> kernel = choose_row_kernel<T>(K);
  const std::int64_t samples = shape.batch * shape.channels * L;
  const bool streaming = exceeds_caches(3 * samples * static_cast<std::int64_t>(sizeof(T)));
  const auto run = [&](std::int64_t unit) {
    const std::int64_t first = unit / units.parts * units.chunk, part = unit % units.parts;
    const std::int64_t last = std::min(first + units.chunk, shape.channels);
    double* unit_sums = sums + unit * units.slots * (K + 1);
    std::fill_n(unit_sums, units.slots * (K + 1), 0.0);
    for (std::int64_t i = units.first_item(part); i < units.first_item(part + 1); ++i) {
      const std::int64_t b = i / units.tiles.count, tile = i % units.tiles.count;
      for (std::int64_t c = first; c < last; ++c) {
        const std::int64_t g = shape.group(c), row = (b * shape.channels + c) * L;
        const Filter<T> filter{weight + g * K, 1, K, shape.left_padding};
        kernel(filter, x + row, dy + row, L, dx ? dx + row : nullptr,
               unit_sums + (g - shape.group(first)) * (K + 1), units.tiles.begin(tile),
               units.tiles.end(tile), streaming);
      }
    }
  };
  const std::int64_t unit_samples = samples / std::max<std::int64_t>(units.count(), 1);
  parallel_for(units.count(), 16384 / (unit_samples * std::min<std::int64_t>(K, 64) + 1) + 1,
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t unit = begin; unit < end; ++unit) run(unit);
                 if (streaming) simd::end_stream();
               });
}

// The second pass: the units of each group are added up in order.
template <class T>
void add_up(const DepthwiseConv1dShape& shape, const Units& units, const double* sums, T* dweight,
            T* dbias) {
  constexpr std::int64_t kSpan = 64;  // sums at a time
  const std::int64_t K = shape.kernel_size;
  const std::int64_t spans = K / kSpan + 1;  // of K + 1 sums
  const auto run = [&](std::int64_t g, std::int64_t first) {
    const std::int64_t count = std::min(kSpan, K + 1 - first);
    const std::int64_t begin =
        std::max<std::int64_t>(g * shape.group_dim - shape.channel_offset, 0);
    const std::int64_t end =
        std::min((g + 1) * shape.group_dim - shape.channel_offset, shape.channels);
    double total[kSpan] = {};
    if (begin < end && units.count() > 0) {
      for (std::int64_t i = begin / units.chunk; i <= (end - 1) / units.chunk; ++i) {
        const std::int64_t slot = g - shape.group(i * units.chunk);
        for (std::int64_t part = 0; part < units.parts; ++part) {
          const std::int64_t row = (i * units.parts + part) * units.slots + slot;
          const double* unit_sums = sums + row * (K + 1) + first;
          for (std::int64_t k = 0; k < count; ++k) total[k] += unit_sums[k];
        }
      }
    }
    for (std::int64_t k = 0; k < count; ++k) {
      const T value = static_cast<T>(static_cast<accumulator_t<T>>(total[k]));
      if (first + k < K) {
        if (dweight) dweight[g * K + first + k] = value;
      } else if (dbias) {
        dbias[g] = value;
      }
    }
  };
  parallel_for(shape.groups * spans, 64, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) run(i / spans, i % spans * kSpan);
  });
}

}  // namespace

template <class Device, class T>
std::int64_t depthwise_conv1d_workspace_bytes(const DepthwiseConv1dShape& shape) {
  const Units units(shape);
  return units.count() * units.slots * (shape.kernel_size + 1) *
         static_cast<std::int64_t>(sizeof(double));
}

template <class Device, class T>
void depthwise_conv1d_backward(const DepthwiseConv1dShape& shape, const T* x, const T* weight,
                               const T* dy, T* dx, T* dweight, T* dbias, void* workspace, Stream) {
  if (!dweight && !dbias) {
    if (dx) depthwise_conv1d_dx(shape, dy, weight, dx);
    return;
  }
  auto* sums = static_cast<double*>(workspace);
  const Units units(shape);
  backward_rows(shape, units, x, weight, dy, dx, sums);
  add_up(shape, units, sums, dweight, dbias);
}

#define CROCUTA_INSTANTIATE(T)                                                                     \
  template std::int64_t depthwise_conv1d_workspace_bytes<Cpu, T>(const DepthwiseConv1dShape&);     \
  template void depthwise_conv1d_backward<Cpu, T>(const DepthwiseConv1dShape&, const T*, const T*, \
                                                  const T*, T*, T*, T*, void*, Stream);
CROCUTA_INSTANTIATE(float)
CROCUTA_INSTANTIATE(double)
CROCUTA_INSTANTIATE(bfloat16)
CROCUTA_INSTANTIATE(float16)
#undef CROCUTA_INSTANTIATE

}  // namespace crocuta::kernels
