// Every layer, the registry, and what layers of your own are made with.
#pragma once

#include "layers/distributed_depthwise_conv1d.h"
#include "layers/embedding.h"
#include "layers/hyena/block.h"
#include "layers/hyena/filter.h"
#include "layers/hyena/lm.h"
#include "layers/hyena/operator.h"
#include "layers/inspect/causality.h"
#include "layers/inspect/trace.h"
#include "layers/layer.h"
#include "layers/layer_norm.h"
#include "layers/layer_options.h"
#include "layers/linear.h"
#include "layers/mlp.h"
#include "layers/registry.h"
#include "layers/sequence_dropout.h"
#include "layers/sequential.h"
