// Files: safetensors, checkpoints, metrics; configurations.
#pragma once

#include "framework/base/config.h"
#include "framework/io/checkpoint.h"
#include "framework/io/jsonl.h"
#include "framework/io/safetensors.h"
