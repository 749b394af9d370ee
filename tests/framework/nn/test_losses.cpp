#include "framework/nn/losses.h"

#include <cmath>

#include "tests/support/catch.h"
#include "tests/support/check_op.h"

using namespace crocuta;
using namespace crocuta::test;

namespace {

using Loss = Tensor (*)(const Tensor&, const Tensor&, Reduction);

double mse_of(double x, double t) {
  return (x - t) * (x - t);
}
double bce_of(double x, double t) {
  return t * std::log1p(std::exp(-x)) + (1 - t) * std::log1p(std::exp(x));
}

void check_loss(Loss loss, double (*exact)(double, double), Reduction reduction) {
  const auto n = reduction == Reduction::mean ? 35.0 : 1.0;
  check_op({.name = reduction == Reduction::mean ? "mean" : "sum",
            .fn = [=](const std::vector<Tensor>& x) { return loss(x[0], x[1], reduction); },
            .oracle =
                [=](const std::vector<Tensor>& in) {
                  const auto x = in[0].to_vector<double>(), t = in[1].to_vector<double>();
                  double sum = 0;
                  for (std::size_t i = 0; i < x.size(); ++i) sum += exact(x[i], t[i]);
                  return from_vector<double>({sum / n}, {});
                },
            .inputs = {sample({5, 7}, -3, 3), sample({5, 7}, 0.1, 0.9, 2)},
            .rounding = 32,
            .steps = 16,
            .gradient = {.elements = 8}});
}

}  // namespace

TEST_CASE("the mean squared error and its gradients match the formula") {
  for (const Reduction reduction : {Reduction::mean, Reduction::sum}) {
    check_loss(mse_loss, mse_of, reduction);
  }
}

TEST_CASE("the binary cross-entropy and its gradients match the formula") {
  for (const Reduction reduction : {Reduction::mean, Reduction::sum}) {
    check_loss(binary_cross_entropy_with_logits, bce_of, reduction);
  }
}

TEST_CASE("the binary cross-entropy of sure and right answers keeps its digits") {
  const Tensor logits = tensor({30, -30, 200, -200}), targets = tensor({1, 0, 1, 0});
  const double loss = binary_cross_entropy_with_logits(logits, targets, Reduction::sum).item();
  CHECK(std::abs(loss - 2 * std::exp(-30.0)) < 1e-6 * loss);
  CHECK(binary_cross_entropy_with_logits(logits, 1 - targets, Reduction::sum).item() == 460);
}

TEST_CASE("losses refuse shapes that would be broadcast") {
  CHECK_THROWS_WITH(mse_loss(zeros({3, 1}), zeros({3})),
                    "mse_loss: 'target': expected [3, 1], got [3]");
  CHECK_THROWS_WITH(binary_cross_entropy_with_logits(zeros({2}), zeros({2, 1})),
                    "binary_cross_entropy_with_logits: 'targets': expected [2], got [2, 1]");
  CHECK_THROWS_AS(mse_loss(zeros({2}), zeros({2}, {.dtype = DType::float64})), DTypeError);
}
