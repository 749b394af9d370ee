#include <algorithm>
#include <cmath>
#include <limits>

#include "framework/ops.h"
#include "tests/declared/declared.h"
#include "tests/support/catch.h"

using namespace crocuta;
using namespace crocuta::test;

namespace {

float loss_of(const std::vector<double>& logits, std::int64_t target) {
  const auto n = static_cast<std::int64_t>(logits.size());
  return static_cast<float>(cross_entropy(from_vector(logits, {1, n}).to(DType::float32),
                                          from_vector<std::int64_t>({target}, {1}))
                                .item());
}

}  // namespace

TEST_CASE("parts of a batch divided by the whole count add up to the mean") {
  const std::int64_t ignored = -100;
  const Tensor logits = sample({6, 5}), targets = sample_ids({6}, 5, &ignored);
  const double whole = cross_entropy(logits, targets).item();
  double sum = 0;
  for (const std::int64_t begin : {0, 3}) {
    sum += cross_entropy(narrow(logits, 0, begin, 3), narrow(targets, 0, begin, 3), {.divisor = 5})
               .item();
  }
  CHECK(std::fabs(sum - whole) < 1e-15);
}

TEST_CASE("a loss in which nothing counts is zero, and so is its gradient") {
  for (const Reduction reduction : {Reduction::mean, Reduction::sum}) {
    const Tensor logits = ones({3, 4});
    logits.set_requires_grad();
    const Tensor loss =
        cross_entropy(logits, full({3}, -100, {.dtype = DType::int64}), {.reduction = reduction});
    CHECK(loss.item() == 0);
    loss.backward();
    CHECK(logits.grad().to_vector() == std::vector<float>(12, 0));
  }
}

TEST_CASE("16-bit logits give a float32 loss") {
  for (const DType dtype : {DType::bfloat16, DType::float16}) {
    const Tensor logits = zeros({3, 4}, {.dtype = dtype});
    logits.set_requires_grad();
    const Tensor loss = cross_entropy(logits, arange(3));
    CHECK(loss.dtype() == DType::float32);
    CHECK(loss.item() == static_cast<double>(std::log(4.0f)));
    loss.backward();
    CHECK(logits.grad().dtype() == dtype);
  }
}

TEST_CASE("cross_entropy neither overflows nor loses certain answers") {
  const double infinity = std::numeric_limits<double>::infinity();
  CHECK(loss_of({1e4, -1e4}, 0) == 0);
  CHECK(loss_of({1e4, -1e4}, 1) == 2e4f);
  CHECK(loss_of({0, -infinity}, 0) == 0);
  CHECK(loss_of({0, -infinity}, 1) == HUGE_VALF);
  CHECK(std::isnan(loss_of({0, std::numeric_limits<double>::quiet_NaN()}, 0)));
}
