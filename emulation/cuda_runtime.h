// The part of CUDA's runtime that this project uses, for machines without a GPU: same names, same
// signatures, same error codes. docs/emulation.md says what it does with them.
#pragma once

#include "emulation/device_code.h"
#include "emulation/runtime_api.h"
