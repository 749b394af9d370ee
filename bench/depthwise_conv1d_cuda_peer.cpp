// The GPU's kernels under plain C names, for depthwise_conv1d_torch_cuda.py.
#include <exception>
#include <iostream>

#include "kernels/depthwise_conv1d.h"

namespace {

using crocuta::kernels::Cuda;
using crocuta::kernels::DepthwiseConv1dShape;

DepthwiseConv1dShape causal_shape(const std::int64_t* sizes) {
  const std::int64_t B = sizes[0], C = sizes[1], L = sizes[2], K = sizes[3], G = sizes[4];
  return {B, C, L, K, K - 1, 0, C / G, G};
}

// Calls f<T>() for "float32", "bfloat16" or "float16" and returns what it does, or -1 after an
// error.
template <class F>
std::int64_t dispatch(const char* dtype, F f) {
  try {
    const std::string name(dtype);
    if (name == "float32") return f(float{});
    if (name == "bfloat16") return f(crocuta::bfloat16{});
    if (name == "float16") return f(crocuta::float16{});
    std::cerr << "unknown dtype " << name << '\n';
  } catch (const std::exception& e) {
    std::cerr << e.what() << '\n';
  }
  return -1;
}

}  // namespace

// sizes: B, C, L, K, G. Causal. The pointers are a GPU's, as is the stream.
extern "C" std::int64_t crocuta_cuda_conv_forward(const std::int64_t* sizes, const char* dtype,
                                                  const void* x, const void* weight,
                                                  const void* bias, void* y, void* stream) {
  return dispatch(dtype, [&]<class T>(T) {
    crocuta::kernels::depthwise_conv1d_forward<Cuda, T>(
        causal_shape(sizes), static_cast<const T*>(x), static_cast<const T*>(weight),
        static_cast<const T*>(bias), static_cast<T*>(y), stream);
    return 0;
  });
}

extern "C" std::int64_t crocuta_cuda_conv_workspace_bytes(const std::int64_t* sizes,
                                                          const char* dtype) {
  return dispatch(dtype, [&]<class T>(T) {
    return crocuta::kernels::depthwise_conv1d_workspace_bytes<Cuda, T>(causal_shape(sizes));
  });
}

extern "C" std::int64_t crocuta_cuda_conv_backward(const std::int64_t* sizes, const char* dtype,
                                                   const void* x, const void* weight,
                                                   const void* dy, void* dx, void* dweight,
                                                   void* dbias, void* workspace, void* stream) {
  return dispatch(dtype, [&]<class T>(T) {
    crocuta::kernels::depthwise_conv1d_backward<Cuda, T>(
        causal_shape(sizes), static_cast<const T*>(x), static_cast<const T*>(weight),
        static_cast<const T*>(dy), static_cast<T*>(dx), static_cast<T*>(dweight),
        static_cast<T*>(dbias), workspace, stream);
    return 0;
  });
}
