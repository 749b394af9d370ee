// The part of cuFFT that this project uses, in plain loops: same names, same values, same errors
// for wrong arguments. Rows of complex numbers without gaps, transformed one by one.
#pragma once

#include <cstddef>

#include "emulation/runtime_api.h"

enum cufftResult {
  CUFFT_SUCCESS = 0x0,
  CUFFT_INVALID_PLAN = 0x1,
  CUFFT_ALLOC_FAILED = 0x2,
  CUFFT_INVALID_TYPE = 0x3,
  CUFFT_INVALID_VALUE = 0x4,
  CUFFT_INTERNAL_ERROR = 0x5,
  CUFFT_EXEC_FAILED = 0x6,
  CUFFT_SETUP_FAILED = 0x7,
  CUFFT_INVALID_SIZE = 0x8,
  CUFFT_UNALIGNED_DATA = 0x9,
  CUFFT_INVALID_DEVICE = 0xB,
  CUFFT_NO_WORKSPACE = 0xD,
  CUFFT_NOT_IMPLEMENTED = 0xE,
  CUFFT_NOT_SUPPORTED = 0x10,
};
enum cufftType { CUFFT_C2C = 0x29, CUFFT_Z2Z = 0x69 };
struct cufftComplex {
  float x, y;
};
struct cufftDoubleComplex {
  double x, y;
};
using cufftHandle = int;

inline constexpr int CUFFT_FORWARD = -1;
inline constexpr int CUFFT_INVERSE = 1;

cufftResult cufftCreate(cufftHandle* plan);
cufftResult cufftDestroy(cufftHandle plan);
// Must be switched off (0): work areas come from the caller.
cufftResult cufftSetAutoAllocation(cufftHandle plan, int autoAllocate);
// rank is 1, and inembed and onembed are null, so that strides and distances do not matter.
cufftResult cufftMakePlanMany64(cufftHandle plan, int rank, long long* n, long long* inembed,
                                long long istride, long long idist, long long* onembed,
                                long long ostride, long long odist, cufftType type, long long batch,
                                std::size_t* workSize);
cufftResult cufftSetStream(cufftHandle plan, cudaStream_t stream);
// Every transform overwrites the work area.
cufftResult cufftSetWorkArea(cufftHandle plan, void* workArea);
cufftResult cufftExecC2C(cufftHandle plan, cufftComplex* idata, cufftComplex* odata, int direction);
cufftResult cufftExecZ2Z(cufftHandle plan, cufftDoubleComplex* idata, cufftDoubleComplex* odata,
                         int direction);
