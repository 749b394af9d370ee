// Modules, losses, optimizers and what goes with them.
#pragma once

#include "framework/nn/gradient_norm.h"
#include "framework/nn/losses.h"
#include "framework/nn/module.h"
#include "framework/nn/module_list.h"
#include "framework/nn/optimizer.h"
#include "framework/nn/schedule.h"
