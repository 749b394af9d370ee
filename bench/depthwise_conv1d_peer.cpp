// The float32 kernels under plain C names, for depthwise_conv1d_torch.py.
#include "kernels/depthwise_conv1d.h"

using crocuta::kernels::Cpu;
using crocuta::kernels::DepthwiseConv1dShape;

namespace {
DepthwiseConv1dShape causal_shape(const std::int64_t* sizes) {
  const std::int64_t B = sizes[0], C = sizes[1], L = sizes[2], K = sizes[3], G = sizes[4];
  return {B, C, L, K, K - 1, 0, C / G, G};
}
}  // namespace

// sizes: B, C, L, K, G. Causal.
extern "C" void crocuta_conv_forward(const std::int64_t* sizes, const float* x, const float* weight,
                                     const float* bias, float* y) {
  crocuta::kernels::depthwise_conv1d_forward<Cpu, float>(causal_shape(sizes), x, weight, bias, y,
                                                         nullptr);
}

extern "C" std::int64_t crocuta_conv_workspace_bytes(const std::int64_t* sizes) {
  return crocuta::kernels::depthwise_conv1d_workspace_bytes<Cpu, float>(causal_shape(sizes));
}

extern "C" void crocuta_conv_backward(const std::int64_t* sizes, const float* x,
                                      const float* weight, const float* dy, float* dx,
                                      float* dweight, float* dbias, void* workspace) {
  crocuta::kernels::depthwise_conv1d_backward<Cpu, float>(causal_shape(sizes), x, weight, dy, dx,
                                                          dweight, dbias, workspace, nullptr);
}
