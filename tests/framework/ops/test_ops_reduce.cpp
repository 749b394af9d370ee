#include <algorithm>
#include <cmath>
#include <limits>

#include "framework/ops/ops.h"
#include "tests/support/catch.h"
#include "tests/support/check_op.h"

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

TEST_CASE("the largest of a row is found whatever the row holds") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinity = std::numeric_limits<double>::infinity();
  const auto check = [&](std::vector<double> row, std::size_t expected) {
    const auto n = static_cast<std::int64_t>(row.size());
    const double value = row[expected];
    // Beside rows whose largest numbers would be found by a search that leaves its own.
    std::vector<double> rows(row.size(), infinity);
    rows.insert(rows.end(), row.begin(), row.end());
    rows.insert(rows.end(), row.size(), infinity);
    for (const Device device : test_devices()) {
      for (const DType dtype : {DType::float32, DType::float64, DType::bfloat16, DType::float16}) {
        INFO(dtype << " on " << device << ", n " << n << ", expected " << expected);
        const Tensor x = from_vector(rows, {3, n}).to(dtype).to(device);
        x.set_requires_grad();
        CHECK(argmax(x, 1).to_vector<std::int64_t>()[1] == static_cast<std::int64_t>(expected));
        const Tensor largest = max(x, 1);
        const double found = largest.to_vector<double>()[1];
        CHECK((found == value || (std::isnan(found) && std::isnan(value))));
        sum(largest).backward();
        CHECK(select(x.grad(), 0, 1).to_vector<double>()[expected] == 1);
      }
    }
  };
  for (const std::size_t n : {1u, 2u, 5u, 15u, 16u, 17u, 31u, 32u, 33u, 100u, 257u, 4100u}) {
    const std::vector<double> nothing(n, -infinity), nans(n, nan);
    check(nothing, 0);
    check(nans, 0);
    check(std::vector<double>(n, infinity), 0);
    for (const std::size_t at : {std::size_t{0}, n / 2, n - 1}) {
      std::vector<double> row = nothing;
      row[at] = -32768;
      check(row, at);
      row[at] = nan;
      check(row, at);
      row = std::vector<double>(n, 3);
      row[at] = infinity;
      check(row, at);
      row[n - 1] = nan;
      check(row, n - 1);
      row = nans;
      row[at] = infinity;  // smaller than any NaN
      check(row, at > 0 || n == 1 ? 0 : 1);
    }
    std::vector<double> zeros(n, -0.0);
    zeros[n / 2] = 0.0;  // equal to the others
    check(zeros, 0);
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
