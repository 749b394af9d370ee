// cuFFT: NVIDIA's, or in a build with CROCUTA_CUDA=emulated the part of it that fft_plan.cpp uses.
#pragma once

#include "kernels/cuda/toolbox/runtime.h"

#if defined(CROCUTA_CUDA_EMULATED)
#include "emulation/cufft.h"
#else
#include <cufft.h>
#endif
