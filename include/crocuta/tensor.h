// Tensors, automatic differentiation, random numbers, devices, threads, errors.
#pragma once

#include "framework/base/error.h"
#include "framework/base/version.h"
#include "framework/device/allocator.h"
#include "framework/device/device.h"
#include "framework/device/threads.h"
#include "framework/tensor/autograd.h"
#include "framework/tensor/dtype.h"
#include "framework/tensor/random.h"
#include "framework/tensor/tensor.h"
