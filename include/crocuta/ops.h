// Every differentiable operation.
#pragma once

#include "framework/ops/ops.h"
