#include <cmath>
#include <limits>

#include "framework/ops.h"
#include "kernels/philox.h"
#include "tests/check_op.h"
#include "tests/support/catch.h"

using namespace crocuta;
using namespace crocuta::test;

namespace {

constexpr RandomKey kKey = {3, 8};

// Element i survives where number i of the stream is at least p.
Fn oracle(double p) {
  return [p](const std::vector<Tensor>& in) {
    std::vector<double> x = in[0].to_vector<double>();
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double u = kernels::philox(kKey.seed, kKey.stream, i) * 0x1p-32;
      x[i] = u >= p ? x[i] / (1 - p) : 0;
    }
    return from_vector(x, in[0].shape());
  };
}

void check(const Shape& shape, double p, std::vector<DType> dtypes = OpCheck{}.dtypes) {
  check_op({.name = str("dropout", to_string(shape), " p ", p),
            .fn = [p](const std::vector<Tensor>& in) { return dropout(in[0], p, kKey); },
            .oracle = oracle(p),
            .inputs = {sample(shape)},
            .dtypes = dtypes,
            .gradient = {.elements = 8}});
}

Tensor positions(const std::vector<std::int64_t>& list) {
  return from_vector(list, {static_cast<std::int64_t>(list.size())});
}

}  // namespace

TEST_CASE("dropout keeps what the random stream says, and scales it") {
  for (const std::int64_t n : {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 1023, 1025, 4099}) {
    check({n}, 0.25);
  }
  check({3, 5, 7}, 0.5);
  check({}, 0.5);
  check({0}, 0.5);
  check({70001}, 0.1, {DType::float32});
}

TEST_CASE("dropout of probability 0 keeps everything, of probability 1 nothing") {
  const Tensor x = sample({1000});
  CHECK(dropout(x, 0, kKey).to_vector<double>() == x.to_vector<double>());
  CHECK(dropout(x, 1, kKey).to_vector<double>() == std::vector<double>(1000, 0));
  const double nan = std::numeric_limits<double>::quiet_NaN();
  CHECK(dropout(full({8}, nan), 1, kKey).to_vector<double>() == std::vector<double>(8, 0));
}

TEST_CASE("dropout drops the share that was asked for and keeps the mean") {
  const std::int64_t n = 1 << 20;
  for (const double p : {0.1, 0.5, 0.9}) {
    const auto y = dropout(ones({n}), p, kKey).to_vector<double>();
    double dropped = 0, total = 0;
    for (const double v : y) {
      dropped += v == 0;
      total += v;
    }
    // Within five standard deviations of a binomial count.
    const double deviation = std::sqrt(p * (1 - p) / static_cast<double>(n));
    CHECK(std::fabs(dropped / static_cast<double>(n) - p) < 5 * deviation);
    CHECK(std::fabs(total / static_cast<double>(n) - 1) < 5 * deviation / (1 - p));
  }
}

TEST_CASE("another key gives another mask") {
  const Tensor x = ones({64});
  const auto y = dropout(x, 0.5, {1, 1}).to_vector();
  CHECK(dropout(x, 0.5, {1, 1}).to_vector() == y);
  CHECK(dropout(x, 0.5, {1, 2}).to_vector() != y);
  CHECK(dropout(x, 0.5, {2, 1}).to_vector() != y);
}

TEST_CASE("the shards of a tensor drop what the whole would") {
  for (const Shape& shape : {Shape{2, 12, 5}, Shape{3, 12, 1}, Shape{1, 12, 8}}) {
    const Tensor x = sample(shape);
    const Tensor whole = dropout(x, 0.4, kKey);
    for (const std::int64_t parts : {1, 2, 3, 4}) {
      const std::int64_t length = 12 / parts;
      for (std::int64_t r = 0; r < parts; ++r) {
        const Shard shard = {.dim = 1, .length = 12, .first = r * length};
        CHECK(dropout(narrow(x, 1, r * length, length), 0.4, kKey, shard).to_vector<double>() ==
              narrow(whole, 1, r * length, length).to_vector<double>());
      }
    }
  }
}

TEST_CASE("a shard of scattered rows drops what the whole would, forward and backward") {
  const Tensor x = sample({2, 8, 5});
  const auto shuffle = [](const Tensor& t) {  // rows 0 1 6 7, as a zigzag shard holds them
    return cat({narrow(t, 1, 0, 2), narrow(t, 1, 6, 2)}, 1);
  };
  const Shard shard = {.length = 8, .positions = positions({0, 1, 6, 7})};
  CHECK(dropout(shuffle(x), 0.4, kKey, shard).to_vector<double>() ==
        shuffle(dropout(x, 0.4, kKey)).to_vector<double>());
  gradcheck([&](const std::vector<Tensor>& in) { return dropout(in[0], 0.4, kKey, shard); },
            {shuffle(x)});
  gradcheck(
      [&](const std::vector<Tensor>& in) {
        return dropout(in[0], 0.4, kKey, {.dim = 0, .length = 9, .first = 4});
      },
      {x});
}

TEST_CASE("dropout refuses impossible probabilities and shards") {
  const Tensor x = zeros({2, 3, 4});
  for (const double p : {-0.1, 1.1, std::numeric_limits<double>::quiet_NaN()}) {
    CHECK(message_of<ArgumentError>([&] { dropout(x, p, kKey); }) ==
          str("dropout: 'p': expected a number in [0, 1], got ", p));
  }
  CHECK(message_of<ArgumentError>([&] { dropout(x, 0.5, kKey, {.length = 5, .first = 3}); }) ==
        "dropout: 'shard': expected a range of 3 within a length of 5, got one that begins at 3");
  CHECK(message_of<ArgumentError>([&] { dropout(x, 0.5, kKey, {.length = 5, .first = -1}); }) ==
        "dropout: 'shard': expected a range of 3 within a length of 5, got one that begins at -1");
  CHECK(message_of<ShapeError>([&] {
          dropout(x, 0.5, kKey, {.length = 5, .positions = positions({0, 1})});
        }) == "dropout: 'positions': expected [3], got [2]");
  CHECK(message_of<ArgumentError>([&] {
          dropout(x, 0.5, kKey, {.length = 5, .positions = positions({0, 5, 1})});
        }) == "dropout: 'positions': expected values in [0, 5), got 5 at [1]");
  CHECK(message_of<DTypeError>([&] { dropout(arange(3), 0.5, kKey); }) ==
        "dropout: 'dtype': expected float32, float64, bfloat16 or float16, got int64");
}
