// Checks shared by the tests of layers.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "framework/nn/module.h"
#include "layers/layer.h"
#include "layers/registry.h"

namespace crocuta::test {

// A layer by name, from JSON.
std::unique_ptr<Layer> layer_from_json(const std::string& name, const std::string& json);

// Fills every parameter with numbers around 0 (frequencies, which are 10 at first, around 3), so
// that no term of a formula is lost in one near zero.
void randomize(const Module& module, std::uint64_t seed = 3);

// Whether a and b have equal shapes and agree within `tolerance` times b's largest magnitude;
// prints the worst element otherwise.
bool close(const Tensor& a, const Tensor& b, double tolerance);
bool close(const std::vector<double>& a, const std::vector<double>& b, double tolerance);

// Compares d(sum dy * f())/d(parameter), for a random dy, with central differences of fourth order,
// for up to `elements` elements of every float64 parameter and of `x` if it is floating; rtol 1e-6
// of the largest gradient of the tensor and atol 1e-8. Says what differs, or "".
std::string module_gradient_mismatch(const Module& module, const Tensor& x,
                                     const std::function<Tensor(const Tensor& x)>& f,
                                     std::int64_t elements = 12);

// The largest relative difference between numbers of this dtype and exact ones.
double epsilon(DType dtype);

}  // namespace crocuta::test
