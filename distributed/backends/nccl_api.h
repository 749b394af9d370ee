// NCCL: NVIDIA's, or the few functions of it that we use, emulated on the CPU in a build with
// CROCUTA_CUDA=emulated.
#pragma once

#if defined(CROCUTA_CUDA_EMULATED)
#include "emulation/nccl.h"
#else
#include <nccl.h>
#endif
