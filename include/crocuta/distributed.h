// Process groups, collectives with gradients, context parallelism.
#pragma once

#include "distributed/backends/threads.h"
#include "distributed/collectives.h"
#include "distributed/context_parallel.h"
#include "distributed/gradient_sync.h"
#include "distributed/init.h"
#include "distributed/process_group.h"
