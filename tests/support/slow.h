// Whether everything is many times slower here than usual: under sanitizers, in builds for a
// debugger, and on emulated GPUs. Tests that repeat themselves do so less often there.
#pragma once

#include "framework/device.h"

namespace crocuta::test {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(__OPTIMIZE__)
inline constexpr bool kSlowBuild = true;
#else
inline constexpr bool kSlowBuild = false;
#endif
#if defined(CROCUTA_CUDA_EMULATED)
inline bool slow_device() {
  return default_device().is_cuda();
}
#else
inline bool slow_device() {
  return false;
}
#endif
inline bool slow_here() {
  return kSlowBuild || slow_device();
}

}  // namespace crocuta::test
