#include <algorithm>
#include <cmath>
#include <limits>

#include "framework/ops/ops.h"
#include "tests/cases/declared.h"
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

TEST_CASE("the gradient of cross_entropy does not depend on where logits lie") {
  for (const Device device : test_devices()) {
    for (const DType dtype : {DType::float32, DType::float64, DType::bfloat16}) {
      for (const double far : {0.0, 65536.0, 1e8, -1e8, 1e30, -1e30, 3e38}) {
        INFO(far << " in " << dtype << " on " << device);
        const Tensor logits = full({1, 4}, far, {dtype, device});
        logits.set_requires_grad();
        cross_entropy(logits, from_vector<std::int64_t>({2}, {1}, device)).backward();
        for (std::size_t i = 0; i < 4; ++i) {
          CHECK(std::fabs(logits.grad().to_vector<double>()[i] - (i == 2 ? -0.75 : 0.25)) < 1e-6);
        }
      }
    }
  }
}

TEST_CASE("logits without a largest number give a loss that is NaN, at any length") {
  const double infinity = std::numeric_limits<double>::infinity();
  for (const Device device : test_devices()) {
    for (const std::int64_t n : {2, 7, 16, 33, 600, 9000}) {
      INFO("n " << n << " on " << device);
      for (const double odd : {-infinity, infinity, double{NAN}}) {
        std::vector<double> row(static_cast<std::size_t>(n), -infinity);
        row[1] = odd;
        const Tensor logits = from_vector(row, {1, n}).to(DType::float32).to(device);
        logits.set_requires_grad();
        const Tensor loss = cross_entropy(logits, from_vector<std::int64_t>({0}, {1}, device));
        CHECK(std::isnan(loss.item()));
        loss.backward();
        CHECK(std::isnan(logits.grad().to_vector()[0]));
      }
    }
  }
}

TEST_CASE("cross_entropy neither overflows nor loses certain answers") {
  const double infinity = std::numeric_limits<double>::infinity();
  CHECK(loss_of({1e4, -1e4}, 0) == 0);
  for (const double far : {1e6, -1e6, 1e30}) {
    CHECK(loss_of({far, far}, 0) == Approx(std::log(2.0)).epsilon(1e-6));
  }
  CHECK(loss_of({1e4, -1e4}, 1) == 2e4f);
  CHECK(loss_of({0, -infinity}, 0) == 0);
  CHECK(loss_of({0, -infinity}, 1) == HUGE_VALF);
  CHECK(std::isnan(loss_of({0, std::numeric_limits<double>::quiet_NaN()}, 0)));
}
