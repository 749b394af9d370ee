#include "kernels/cuda/channel_sum.h"

#include "kernels/copy.h"
#include "kernels/cuda/toolbox/vector.h"
#include "kernels/gemm.h"

namespace crocuta::kernels {
namespace {

// V neighbours of a row of L * V elements.
template <int V, class T>
struct Neighbours {
  const T* x;
  std::int64_t L;

  __device__ Vector<T, V> raw(std::int64_t row, std::int64_t t) const {
    return load_vector<V>(x + (row * L + t) * V);
  }
  __device__ accumulator_t<T> value(const Vector<T, V>& values) const {
    accumulator_t<T> sum = 0;
    for (int v = 0; v < V; ++v) sum += static_cast<accumulator_t<T>>(values[v]);
    return sum;
  }
};

}  // namespace

template <class Device, class T>
std::size_t channel_sum_workspace_bytes(std::int64_t B, std::int64_t C, std::int64_t L) {
  return static_cast<std::size_t>(C * channel_sum_parts(B, C, L)) * sizeof(double);
}

template <class Device, class T>
void channel_sum(std::int64_t B, std::int64_t C, std::int64_t L, const T* x, T* y, void* workspace,
                 Stream stream) {
  if (B == 0 || L == 0) return fill<Cuda, T>(C, T(0), y, stream);
  constexpr int V = kVector<T>;
  const std::int64_t parts = channel_sum_parts(B, C, L);
  auto* const partial = static_cast<double*>(workspace);
  if (L % V == 0 && is_aligned(x, 16)) {
    sum_channels("channel_sum", B, C, L / V, parts, Neighbours<V, T>{x, L / V}, partial, y, stream);
  } else {
    sum_channels("channel_sum", B, C, L, parts, Neighbours<1, T>{x, L}, partial, y, stream);
  }
}

#define CROCUTA_INSTANTIATE(T)                                                               \
  template std::size_t channel_sum_workspace_bytes<Cuda, T>(std::int64_t, std::int64_t,      \
                                                            std::int64_t);                   \
  template void channel_sum<Cuda, T>(std::int64_t, std::int64_t, std::int64_t, const T*, T*, \
                                     void*, Stream);
CROCUTA_INSTANTIATE(float)
CROCUTA_INSTANTIATE(double)
CROCUTA_INSTANTIATE(bfloat16)
CROCUTA_INSTANTIATE(float16)
#undef CROCUTA_INSTANTIATE

}  // namespace crocuta::kernels
