// Filling with random numbers: element i is a pure function of (seed, stream, i), the same to the
// bit on every device.
#pragma once

#include "kernels/types.h"

namespace crocuta::kernels {

// y[i] = low + (high - low) * u_i, u_i in [0, 1) on a grid of 2^-24. y [n]
template <class Device, class T>
void random_uniform(std::int64_t n, std::uint64_t seed, std::uint64_t stream, double low,
                    double high, T* y, Stream queue);

// y[i] normally distributed, by the Box-Muller transform of numbers 2j and 2j+1. y [n]
template <class Device, class T>
void random_normal(std::int64_t n, std::uint64_t seed, std::uint64_t stream, double mean,
                   double stddev, T* y, Stream queue);

}  // namespace crocuta::kernels
