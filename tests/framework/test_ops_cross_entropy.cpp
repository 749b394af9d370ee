#include <algorithm>
#include <cmath>
#include <limits>

#include "framework/ops.h"
#include "tests/check_op.h"
#include "tests/support/catch.h"

using namespace crocuta;
using namespace crocuta::test;

namespace {

Fn oracle(CrossEntropyOptions options) {
  return [options](const std::vector<Tensor>& in) {
    const auto x = in[0].to_vector<double>();
    const auto targets = in[1].to_vector<std::int64_t>();
    const auto n = static_cast<std::size_t>(in[0].size(-1));
    double total = 0, counted = 0;
    for (std::size_t row = 0; row < targets.size(); ++row) {
      if (targets[row] == options.ignore_index) continue;
      const auto begin = x.begin() + static_cast<std::ptrdiff_t>(row * n);
      const double largest = *std::max_element(begin, begin + static_cast<std::ptrdiff_t>(n));
      double sum = 0;
      for (std::size_t i = 0; i < n; ++i) sum += std::exp(x[row * n + i] - largest);
      total += largest + std::log(sum) - x[row * n + static_cast<std::size_t>(targets[row])];
      counted += 1;
    }
    if (options.divisor) {
      total /= *options.divisor;
    } else if (options.reduction == Reduction::mean && counted > 0) {
      total /= counted;
    }
    return full({}, total, {.dtype = DType::float64});
  };
}

Tensor some_targets(const Shape& shape, std::int64_t classes, std::int64_t ignored) {
  std::vector<std::int64_t> targets;
  for (std::int64_t i = 0; i < element_count(shape); ++i) {
    targets.push_back(i % 5 == 3 ? ignored : i * i * 3 % classes);
  }
  return from_vector(targets, shape);
}

void check(const Shape& positions, std::int64_t classes, const CrossEntropyOptions& options = {},
           std::vector<DType> dtypes = OpCheck{}.dtypes) {
  Shape shape = positions;
  shape.push_back(classes);
  const auto count = static_cast<double>(element_count(positions));
  const bool averaged = options.divisor || options.reduction == Reduction::mean;
  check_op(
      {.name = str("cross_entropy", to_string(shape)),
       .fn = [=](const std::vector<Tensor>& in) { return cross_entropy(in[0], in[1], options); },
       .oracle = oracle(options),
       .inputs = {sample(shape, -3, 3), some_targets(positions, classes, options.ignore_index)},
       .dtypes = dtypes,
       .rounding = 16,
       .scale = averaged ? 4 : 4 * std::sqrt(count),
       .gradient = {.elements = 8}});
}

float loss_of(const std::vector<double>& logits, std::int64_t target) {
  const auto n = static_cast<std::int64_t>(logits.size());
  return static_cast<float>(cross_entropy(from_vector(logits, {1, n}).to(DType::float32),
                                          from_vector<std::int64_t>({target}, {1}))
                                .item());
}

}  // namespace

TEST_CASE("cross_entropy of awkward numbers of classes") {
  for (const std::int64_t classes : {1, 2, 7, 8, 9, 15, 16, 17, 31, 33, 257}) check({7}, classes);
}

TEST_CASE("cross_entropy of several dimensions of positions, of one position and of none") {
  check({2, 3, 4}, 5);
  check({}, 5);
  check({0}, 5);
  check({2, 0}, 5);
}

TEST_CASE("cross_entropy of very many positions and of very many classes") {
  check({20011}, 5, {}, {DType::float32});
  check({2}, 65537, {}, {DType::float32});
}

TEST_CASE("cross_entropy sums, divides by a given number, and ignores a chosen target") {
  check({23}, 6, {.reduction = Reduction::sum});
  check({23}, 6, {.divisor = 10.5});
  check({23}, 6, {.reduction = Reduction::sum, .divisor = 3});
  check({23}, 6, {.ignore_index = 4});
  check({23}, 6, {.ignore_index = 4, .reduction = Reduction::sum});
}

TEST_CASE("parts of a batch divided by the whole count add up to the mean") {
  const Tensor logits = sample({6, 5}), targets = some_targets({6}, 5, -100);
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

TEST_CASE("the first target outside the classes is named, with its place") {
  const Tensor logits = zeros({2, 3, 4});
  const auto message = [&](std::vector<std::int64_t> targets, CrossEntropyOptions options = {}) {
    return message_of<ArgumentError>([&] {
      cross_entropy(logits, from_vector(targets, {2, 3}), options);
    });
  };
  CHECK(message({0, 1, 2, 3, 4, -1}) ==
        "cross_entropy: 'targets': expected values in [0, 4) or -100 (ignored), got 4 at [1, 1]");
  CHECK(message({0, -1, 2, 3, 4, 5}) ==
        "cross_entropy: 'targets': expected values in [0, 4) or -100 (ignored), got -1 at [0, 1]");
  CHECK(message({0, 0, 0, 0, 0, -100}, {.ignore_index = 7}) ==
        "cross_entropy: 'targets': expected values in [0, 4) or 7 (ignored), got -100 at [1, 2]");
}

TEST_CASE("cross_entropy refuses shapes, types and divisors that do not fit") {
  const Tensor logits = zeros({3, 4});
  CHECK(message_of<ShapeError>([&] { cross_entropy(logits, arange(4)); }) ==
        "cross_entropy: 'targets': expected [3] for these logits, got [4]");
  CHECK(message_of<ShapeError>([&] { cross_entropy(full({}, 1), arange(1)); }) ==
        "cross_entropy: 'logits': expected [..., classes], got []");
  CHECK(message_of<DTypeError>([&] { cross_entropy(logits, zeros({3})); }) ==
        "cross_entropy: 'targets': expected int64, got float32");
  CHECK(message_of<DTypeError>([&] {
          cross_entropy(zeros({3, 4}, {.dtype = DType::int32}), arange(3));
        }) == "cross_entropy: 'dtype': expected float32, float64, bfloat16 or float16, got int32");
  for (const double divisor : {0.0, -1.0}) {
    CHECK(message_of<ArgumentError>([&] {
            cross_entropy(logits, arange(3), {.divisor = divisor});
          }) == str("cross_entropy: 'divisor': expected a positive number, got ", divisor));
  }
}
