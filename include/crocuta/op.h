// What an operation of your own is made with: dispatch() from a tensor to a kernel's template
// arguments, parallel_for() on the CPU, and record() (<crocuta/tensor.h>) for its gradient.
#pragma once

#include "crocuta/tensor.h"
#include "framework/ops/operands.h"
#include "framework/tensor/dispatch.h"
#include "kernels/cpu/parallel.h"
#include "kernels/types.h"
