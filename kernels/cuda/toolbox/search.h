// Binary search.
#pragma once

#include <cstdint>

#include "kernels/cuda/toolbox/runtime.h"

namespace crocuta::kernels {

// How many of keys [n], which are sorted, are less than `key`.
__device__ inline std::int64_t count_less(std::int64_t n, const std::int64_t* keys,
                                          std::int64_t key) {
  std::int64_t less = 0;  // those before this are less, those from n on are not
  while (less < n) {
    const std::int64_t middle = less + (n - less) / 2;
    if (keys[middle] < key) {
      less = middle + 1;
    } else {
      n = middle;
    }
  }
  return less;
}

}  // namespace crocuta::kernels
