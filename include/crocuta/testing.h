// For tests of operations and layers of your own: gradients against finite differences. Link
// crocuta::testing.
#pragma once

#include "framework/testing/gradcheck.h"
