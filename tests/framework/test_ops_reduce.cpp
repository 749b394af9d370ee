#include <algorithm>
#include <cmath>
#include <limits>

#include "framework/ops.h"
#include "tests/check_op.h"
#include "tests/support/catch.h"

using namespace crocuta;
using namespace crocuta::test;

TEST_CASE("a sum of ten million equal floats is as good as one of 512") {
  // All roundings go one way: 31 additions in a lane and 4 of lanes, none of the 20,000 of blocks.
  const std::int64_t n = 10000000;
  const double exact = static_cast<double>(n) * 0.1f;
  CHECK(std::fabs(sum(full({n}, 0.1)).item() / exact - 1) < 36 * 0x1p-24);
  CHECK(sum(ones({n}, {.dtype = DType::int64})).item() == static_cast<double>(n));
}

TEST_CASE("argmax names the first of equals, and NaN before any number") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinity = std::numeric_limits<double>::infinity();
  const Tensor x = from_vector<double>(
      {1, 3, 3, -1, 5, nan, infinity, nan, -infinity, -infinity, -infinity, -infinity}, {3, 4});
  for (const DType dtype : {DType::float32, DType::float64, DType::bfloat16, DType::float16}) {
    CHECK(argmax(x.to(dtype), 1).to_vector<std::int64_t>() == std::vector<std::int64_t>{1, 1, 0});
    CHECK(argmax(x.to(dtype), -2).to_vector<std::int64_t>() ==
          std::vector<std::int64_t>{1, 1, 1, 1});
    CHECK(std::isnan(max(x.to(dtype), 1).to_vector<double>()[1]));
  }
}

TEST_CASE("squared_norm adds up in double, in every dtype and layout") {
  for (const DType dtype : {DType::float32, DType::float64, DType::bfloat16, DType::float16}) {
    for (const Shape& shape : {Shape{}, Shape{7}, Shape{3, 5, 7}, Shape{40001}, Shape{0}}) {
      const Tensor x = sample(shape).to(dtype);
      double exact = 0;
      for (const double v : x.to_vector<double>()) exact += v * v;
      CHECK(std::fabs(squared_norm(x).item() - exact) <= 1e-13 * exact);
      CHECK(squared_norm(scattered(x)).item() == squared_norm(x).item());
    }
  }
  // A float would overflow.
  CHECK(squared_norm(full({4}, 1e30)).item() > 3.9e60);
}

TEST_CASE("a mean of 16-bit numbers does not overflow where their sum does") {
  CHECK(mean(tensor({1, 2, 3, 6})).item() == 3);
  CHECK(mean(full({100}, 60000, {.dtype = DType::float16})).item() == 60000);
}

TEST_CASE("the gradient of max goes to the first of equals") {
  const Tensor x = tensor({1, 3, 3, 2});
  x.set_requires_grad();
  max(x, 0).backward();
  CHECK(x.grad().to_vector() == std::vector<float>{0, 1, 0, 0});
}
