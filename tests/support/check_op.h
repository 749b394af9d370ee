// One description of an op's use, and every check we know how to make of it.
#pragma once

#include <string>
#include <vector>

#include "framework/base/error.h"
#include "framework/tensor/dtype.h"
#include "framework/testing/gradcheck.h"

namespace crocuta::test {

using namespace crocuta::testing;

// A Catch2 check that there is no gradient_mismatch().
void gradcheck(const Fn& fn, const std::vector<Tensor>& inputs,
               const GradcheckOptions& options = {});

// Result and gradients are held to
//     eps(dtype) |exact| + (rounding * eps(accumulator) + steps * eps(dtype)) * (|exact| + scale)
// (gradients, which may be made from rounded results, to `rounding` times the first term), where
// `exact` is the oracle on inputs already rounded to dtype. `scale` is the size of the terms that
// cancel in a result; leave it 0 where nothing cancels. `steps` counts the results on the way that
// are rounded to dtype. Results of integers are equal.
struct OpCheck {
  std::string name;            // for messages
  Fn fn;                       // the op, with its other arguments bound
  Fn oracle;                   // the same, from float64 to float64, by plain loops (see apply())
  std::vector<Tensor> inputs;  // float64 and integer tensors
  std::vector<DType> dtypes = {DType::float32, DType::float64, DType::bfloat16, DType::float16};
  bool differentiable = true;
  double rounding = 4;
  double scale = 0;
  double gradient_scale = 1;
  double steps = 0;
  std::size_t expanded = 8;  // so many inputs, the first ones, are tried expanded
  GradcheckOptions gradient = {};
};

// Checks, as Catch2 checks: the oracle in every dtype on every device of this build; the float64
// gradient, with the inputs' values in reverse order too; the gradients of every dtype against it;
// strided and expanded inputs; the same bits on 1, 2 and 3 threads of the CPU. Without
// differentiable inputs or with empty ones, what of it applies.
void check_op(const OpCheck& op);

// The part of it that needs no differences, for numbers so large or small that they say nothing:
// results against the oracle, and gradients of the other dtypes against those of float64.
void check_magnitudes(const OpCheck& op);

// The devices tests should run on: the CPU, and a GPU if this build can use one now.
std::vector<Device> test_devices();

// Oracle building: f(x[i]) and f(a[i], b[i]) in float64, operands broadcast.
Fn apply(double (*f)(double));
Fn apply(double (*f)(double, double));

// The message of the E that f throws; "(nothing thrown)" or "(another type) ..." otherwise:
//   CHECK(message_of<ShapeError>([&] { matmul(a, b); }) == "matmul: ...");
template <class E, class F>
std::string message_of(F&& f) {
  try {
    f();
  } catch (const E& error) {
    return error.what();
  } catch (const std::exception& error) {
    return std::string("(another type) ") + error.what();
  }
  return "(nothing thrown)";
}

}  // namespace crocuta::test
