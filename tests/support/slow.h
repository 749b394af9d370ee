// Whether everything is many times slower here than usual: under sanitizers, in builds for a
// debugger, and on emulated GPUs. Tests that repeat themselves do so less often there.
#pragma once

#include <algorithm>
#include <cstdint>

#include "framework/device/device.h"

namespace crocuta::test {

#if defined(CROCUTA_SANITIZED) || !defined(__OPTIMIZE__)
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
// How often to do what is usually done n times: `few` times where all is slow. A real GPU is not,
// but needs as long for the smallest kernel as for a large one, and for each process a second to
// begin with: there a tenth is enough.
inline std::int64_t repetitions(std::int64_t n, std::int64_t few) {
  if (slow_here()) return few;
  return default_device().is_cuda() ? std::max(few, n / 10) : n;
}

}  // namespace crocuta::test
