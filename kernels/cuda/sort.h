// Sorting on the GPU.
#pragma once

#include "kernels/types.h"

namespace crocuta::kernels {

// Sorts keys [n], no two of which are equal, with the help of spare [n]; returns the one of the
// two in which the sorted keys are.
std::int64_t* sort_distinct(std::int64_t n, std::int64_t* keys, std::int64_t* spare, Stream stream);

}  // namespace crocuta::kernels
