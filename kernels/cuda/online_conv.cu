// One thread per sum: pieces are short, and a step of decoding has no others to run beside.
#include "kernels/online_conv.h"

#include "kernels/cuda/toolbox/launch.h"

namespace crocuta::kernels {
namespace {

using std::int64_t;

template <class R>
__global__ void __launch_bounds__(kBlockThreads)
    block_kernel(int64_t rows, int64_t C, int64_t w, const R* k, int64_t k_stride, const R* z,
                 R* slots, int64_t slot_stride, R* y) {
  for (int64_t at = grid_index(); at < rows * w; at += grid_stride()) {
    const int64_t r = at / w, i = at % w;
    const R *taps = k + r % C * k_stride, *in = z + r * w;
    R* slot = slots + r * slot_stride + i;
    R sum = *slot;
#pragma unroll 4
    for (int64_t j = 0; j <= i; ++j) sum += in[j] * taps[i - j];
    y[at] = sum;
    *slot = in[i];
  }
}

template <class R>
__global__ void __launch_bounds__(kBlockThreads)
    tile_kernel(int64_t rows, int64_t C, int64_t U, int64_t n, const R* k, int64_t k_stride,
                R* slots, int64_t slot_stride) {
  for (int64_t at = grid_index(); at < rows * n; at += grid_stride()) {
    const int64_t r = at / n, i = at % n;
    const R* taps = k + r % C * k_stride + U + i;
    R* slot = slots + r * slot_stride;
    R sum = slot[i];
#pragma unroll 4
    for (int64_t j = 0; j < U; ++j) sum += slot[j - U] * taps[-j];
    slot[i] = sum;
  }
}

}  // namespace

template <class Device, class R>
void online_conv_block(int64_t rows, int64_t C, int64_t w, const R* k, int64_t k_stride, const R* z,
                       R* slots, int64_t slot_stride, R* y, Stream stream) {
  launch("online_conv", block_kernel<R>, grid_for(rows * w), stream, rows, C, w, k, k_stride, z,
         slots, slot_stride, y);
}

template <class Device, class R>
void online_conv_tile(int64_t rows, int64_t C, int64_t U, int64_t n, const R* k, int64_t k_stride,
                      R* slots, int64_t slot_stride, Stream stream) {
  launch("online_conv", tile_kernel<R>, grid_for(rows * n), stream, rows, C, U, n, k, k_stride,
         slots, slot_stride);
}

#define CROCUTA_INSTANTIATE(R)                                                                     \
  template void online_conv_block<Cuda, R>(int64_t, int64_t, int64_t, const R*, int64_t, const R*, \
                                           R*, int64_t, R*, Stream);                               \
  template void online_conv_tile<Cuda, R>(int64_t, int64_t, int64_t, int64_t, const R*, int64_t,   \
                                          R*, int64_t, Stream);
CROCUTA_INSTANTIATE(float)
CROCUTA_INSTANTIATE(double)
#undef CROCUTA_INSTANTIATE

}  // namespace crocuta::kernels
