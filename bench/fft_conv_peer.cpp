// The float32 kernels under plain C names, for fft_conv_torch.py. sizes: B, C, L.
#include "kernels/fft_conv.h"

using crocuta::kernels::Cpu;

extern "C" std::int64_t crocuta_hyena_workspace_bytes(const std::int64_t* sizes) {
  return static_cast<std::int64_t>(
      crocuta::kernels::fft_conv_workspace_bytes<Cpu, float>(sizes[0], sizes[1], sizes[2]));
}

extern "C" void crocuta_hyena_forward(const std::int64_t* sizes, const float* u, const float* k,
                                      const float* skip, float* y, void* workspace) {
  crocuta::kernels::hyena_conv_forward<Cpu, float>(sizes[0], sizes[1], sizes[2], u, k, skip, y,
                                                   workspace, nullptr);
}

extern "C" void crocuta_hyena_backward(const std::int64_t* sizes, const float* u, const float* k,
                                       const float* skip, const float* dy, float* du, float* dk,
                                       float* dskip, void* workspace) {
  crocuta::kernels::hyena_conv_backward<Cpu, float>(sizes[0], sizes[1], sizes[2], u, k, skip, dy,
                                                    du, dk, dskip, workspace, nullptr);
}
