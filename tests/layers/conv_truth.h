// What DistributedDepthwiseConv1d has to compute, in wider numbers than its own: written from the
// formulas of docs/layer.md, sharing nothing with the kernels.
#pragma once

#include <cstdint>
#include <vector>

#include "framework/tensor/dtype.h"

namespace crocuta::test {

struct ConvSizes {
  std::int64_t batch = 0, channels = 0, length = 0, taps = 1, groups = 1;
  bool causal = false;
};

// Sums and, for each, the sum of its terms' magnitudes. long double holds float64 and more.
struct Sums {
  explicit Sums(std::int64_t n = 0)
      : value(static_cast<std::size_t>(n)), magnitude(static_cast<std::size_t>(n)) {}
  std::vector<long double> value, magnitude;
};

struct ConvTruth {
  Sums y, dx, dweight, dbias;
};

// From x and dy [B, C, L], weight [G, K], and bias [G], which may be empty. Added up in long double
// if `wide`, else in double, whose products of two narrower numbers are exact.
ConvTruth conv_truth(const ConvSizes& sizes, const std::vector<double>& x,
                     const std::vector<double>& weight, const std::vector<double>& bias,
                     const std::vector<double>& dy, bool wide);

// Numbers with `digits` binary digits, the smallest of which is 2^least.
struct Format {
  int digits;
  int least;
  double largest;
};
Format format_of(DType dtype);
// `value` rounded to nearest, ties to even.
double round_to(Format format, long double value);

}  // namespace crocuta::test
