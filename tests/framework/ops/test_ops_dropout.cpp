#include <cmath>
#include <limits>

#include "framework/ops/ops.h"
#include "kernels/philox.h"
#include "tests/support/catch.h"
#include "tests/support/check_op.h"

using namespace crocuta;
using namespace crocuta::test;

namespace {

constexpr RandomKey kKey = {3, 8};

Tensor positions(const std::vector<std::int64_t>& list) {
  return from_vector(list, {static_cast<std::int64_t>(list.size())});
}

}  // namespace

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
