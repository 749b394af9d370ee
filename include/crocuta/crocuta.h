// All of Crocuta that a program of yours may want; <crocuta/op.h> and <crocuta/testing.h> apart,
// which are for those who write operations and tests.
#pragma once

#include "crocuta/distributed.h"
#include "crocuta/io.h"
#include "crocuta/layers.h"
#include "crocuta/nn.h"
#include "crocuta/ops.h"
#include "crocuta/tensor.h"
