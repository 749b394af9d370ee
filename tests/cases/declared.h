// What every public op and every registered layer declares about itself. One declaration is its
// test, its gradient check and its case in bench/ops.cpp; tests/framework/ops/test_ops.cpp and
// tests/layers/test_layers.cpp hold all of them to theirs, and fail when one has none.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "framework/ops/ops.h"
#include "tests/support/check_op.h"

namespace crocuta::test {

using Tensors = std::vector<Tensor>;

// A call that is refused: what comes out of it, and what should.
struct Refusal {
  std::string message;                   // all of it
  std::function<std::string()> outcome;  // see message_of()
};
template <class E, class F>
Refusal refusal(std::string message, F call) {
  return {std::move(message), [call] { return message_of<E>(call); }};
}

struct Declared {
  std::string name;                         // of the op in framework/ops/ops.h, or of the layer
  std::vector<std::string> arguments = {};  // the samples' inputs, as messages call them
  int optional = 0;                         // so many of them, the last ones, may be left out
  // Checked by check_op(): in every layout, dtype and device. The first has all arguments; one has
  // an empty input; one has sizes that are no multiple of a vector's.
  std::vector<OpCheck> samples = {};
  // A sample of about n elements: a few hundred for the tests, tens of thousands to make threads
  // share the work, millions for the benchmark.
  std::function<OpCheck(std::int64_t n)> sized = {};
  std::vector<Refusal> refusals = {};
  // Samples of magnitudes at which squares or sums of them overflow or vanish, for
  // check_magnitudes().
  std::vector<OpCheck> extremes = {};
};

// All of them. Each family is a file of this folder.
std::vector<Declared> declared_ops();
std::vector<Declared> declared_arithmetic();
std::vector<Declared> declared_unary();
std::vector<Declared> declared_views();
std::vector<Declared> declared_copies();
std::vector<Declared> declared_reductions();
std::vector<Declared> declared_products();
std::vector<Declared> declared_convolutions();
std::vector<Declared> declared_rows();
std::vector<Declared> declared_ids();
std::vector<Declared> declared_compositions();

// Every registered layer, as a function of its input and its parameters (layers.cpp).
std::vector<Declared> declared_layers();

// What any op refuses, in the words for this one: undefined operands, those of other dtypes or on
// other devices, and gradients that do not fit the result.
std::vector<Refusal> op_refusals(const Declared& op);
// The part of it about the result's gradient, which holds for layers too.
std::vector<Refusal> gradient_refusals(const OpCheck& sample);

// What a declaration lacks to be complete, or "".
std::string missing(const Declared& declared, const std::vector<Refusal>& common);

// Checks samples, one of them with `many` elements, and refusals.
void check_declared(const Declared& declared, const std::vector<Refusal>& common,
                    std::int64_t many = 70001);

// ---- help for declarations ----
extern const std::vector<DType> kAllDTypes;
inline constexpr char kFloatingExpected[] = "expected float32, float64, bfloat16 or float16, got ";

// depthwise_conv1d's formula: x, weight and perhaps bias.
Tensor depthwise_oracle(const Tensors& in, const DepthwiseConv1dOptions& options);

// A sample for Declared::extremes: its first input `factor` times as large, and with it what
// cancels in results and gradients, if the op is linear in it. In the dtypes that have such
// numbers.
OpCheck enlarged(OpCheck sample, double factor, bool linear);

// A declaration's sizes in vectors of doubles.
inline std::size_t index(std::int64_t i) {
  return static_cast<std::size_t>(i);
}
// Inputs may lack the optional ones.
inline Tensor input_or_none(const Tensors& x, std::size_t i) {
  return i < x.size() ? x[i] : Tensor();
}
// int64 values in [0, limit), repeating, in no order; every fifth is `other` instead if given.
Tensor sample_ids(const Shape& shape, std::int64_t limit, const std::int64_t* other = nullptr);

}  // namespace crocuta::test
