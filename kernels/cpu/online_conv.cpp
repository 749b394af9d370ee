#include "kernels/online_conv.h"

#include "kernels/cpu/parallel.h"

namespace crocuta::kernels {

using std::int64_t;

template <class Device, class R>
void online_conv_block(int64_t rows, int64_t C, int64_t w, const R* k, int64_t k_stride, const R* z,
                       R* slots, int64_t slot_stride, R* y, Stream) {
  parallel_for(rows, 1 + 16384 / (w * w), [=](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const R *taps = k + r % C * k_stride, *in = z + r * w;
      R *slot = slots + r * slot_stride, *out = y + r * w;
      for (int64_t i = 0; i < w; ++i) {
        out[i] = slot[i];
        slot[i] = in[i];
      }
      for (int64_t j = 0; j < w; ++j) {
        for (int64_t i = j; i < w; ++i) out[i] += in[j] * taps[i - j];
      }
    }
  });
}

template <class Device, class R>
void online_conv_tile(int64_t rows, int64_t C, int64_t U, int64_t n, const R* k, int64_t k_stride,
                      R* slots, int64_t slot_stride, Stream) {
  parallel_for(rows, 1 + 16384 / (U * n + 1), [=](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const R* taps = k + r % C * k_stride + U;
      R* slot = slots + r * slot_stride;
      R sums[kOnlineDirect];
      for (int64_t i = 0; i < n; ++i) sums[i] = slot[i];
      for (int64_t j = 0; j < U; ++j) {
        const R sample = slot[j - U];
        for (int64_t i = 0; i < n; ++i) sums[i] += sample * taps[i - j];
      }
      for (int64_t i = 0; i < n; ++i) slot[i] = sums[i];
    }
  });
}

#define CROCUTA_INSTANTIATE(R)                                                                    \
  template void online_conv_block<Cpu, R>(int64_t, int64_t, int64_t, const R*, int64_t, const R*, \
                                          R*, int64_t, R*, Stream);                               \
  template void online_conv_tile<Cpu, R>(int64_t, int64_t, int64_t, int64_t, const R*, int64_t,   \
                                         R*, int64_t, Stream);
CROCUTA_INSTANTIATE(float)
CROCUTA_INSTANTIATE(double)
#undef CROCUTA_INSTANTIATE

}  // namespace crocuta::kernels
