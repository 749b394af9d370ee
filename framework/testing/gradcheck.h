// Gradients against central differences, in float64, for tests of whatever framework:
//
//   std::string problem = testing::gradient_mismatch(
//       [](const std::vector<Tensor>& x) { return my_op(x[0], x[1]); },
//       {testing::sample({2, 3}), testing::sample({3})});
//   if (!problem.empty()) ...
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "framework/tensor/tensor.h"

namespace crocuta::testing {

// What is under test: a function of tensors. It may capture whatever else it needs.
using Fn = std::function<Tensor(const std::vector<Tensor>&)>;

struct GradcheckOptions {
  double rtol = 1e-6;
  double atol = 1e-8;
  // Step of the difference quotient; kinks of fn must be at least twice as far from the inputs.
  double step = 5e-4;
  // Elements of each input that are checked one by one; in larger inputs they are spread evenly,
  // and one direction through all elements is checked as well.
  std::int64_t elements = 48;
  std::uint64_t seed = 1;  // of the random dy
  // The same bits for every memory layout of the inputs; false for ops that hand strides to a BLAS,
  // which are then held to rounding (1e-12).
  bool same_bits = true;
};

// Checks the gradient of fn with respect to every float64 input, for a random dy: contiguous, with
// strided inputs and a strided dy, and with only one input at a time asking for a gradient.
// Integer inputs are passed on as they are. Returns "" or a description of the first mismatch.
std::string gradient_mismatch(const Fn& fn, const std::vector<Tensor>& inputs,
                              const GradcheckOptions& options = {});

// The elements of x in another memory layout: dimensions in reverse order, gaps filled with NaN
// (integers: the lowest value) between elements, an offset in front. Never contiguous unless there
// are fewer than two elements.
Tensor scattered(const Tensor& x);

// A reproducible float64 tensor, uniform in [low, high).
Tensor sample(Shape shape, double low = -2, double high = 2, std::uint64_t seed = 7);

}  // namespace crocuta::testing
