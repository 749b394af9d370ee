// The families that are ops.
#include "framework/ops/ops.h"
#include "tests/golden/golden.h"

namespace crocuta::test {
namespace {

using Tensors = std::vector<Tensor>;

Tensor optional(const Tensors& in, std::size_t i) {
  return i < in.size() ? in[i] : Tensor();
}

void check_cross_entropy(const GoldenCase& c) {
  CrossEntropyOptions options;
  options.ignore_index = c.config.get_int("ignore_index", -100);
  if (c.config.get_choice("reduction", "mean", {"mean", "sum"}) == "sum") {
    options.reduction = Reduction::sum;
  }
  if (c.config.has("divisor")) options.divisor = c.config.get_real("divisor");
  c.check([&](const Tensors& in) { return cross_entropy(in[0], in[1], options); });
}

}  // namespace

GoldenChecks golden_op_checks() {
  const auto op = [](GoldenCase::Function f) { return [f](const GoldenCase& c) { c.check(f); }; };
  return {
      {"cross_entropy", check_cross_entropy},
      {"fft_conv", op([](const Tensors& in) { return fft_conv(in[0], in[1], optional(in, 2)); })},
      {"gelu", op([](const Tensors& in) { return gelu(in[0]); })},
      {"hyena_conv",
       op([](const Tensors& in) { return hyena_conv(in[0], in[1], optional(in, 2)); })},
      {"log_softmax", op([](const Tensors& in) { return log_softmax(in[0]); })},
      {"softmax", op([](const Tensors& in) { return softmax(in[0]); })},
  };
}

}  // namespace crocuta::test
