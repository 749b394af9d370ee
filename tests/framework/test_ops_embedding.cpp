#include "framework/ops.h"
#include "tests/check_op.h"
#include "tests/support/catch.h"

using namespace crocuta;
using namespace crocuta::test;

namespace {

Tensor lookup(const std::vector<Tensor>& in) {
  const auto ids = in[0].to_vector<std::int64_t>();
  const auto table = in[1].to_vector<double>();
  const std::int64_t dim = in[1].size(1);
  std::vector<double> y;
  for (const std::int64_t id : ids) {
    for (std::int64_t j = 0; j < dim; ++j) {
      y.push_back(table[static_cast<std::size_t>(id * dim + j)]);
    }
  }
  Shape shape = in[0].shape();
  shape.push_back(dim);
  return from_vector(y, shape);
}

// Ids that repeat, in no order.
Tensor some_ids(const Shape& shape, std::int64_t vocabulary) {
  std::vector<std::int64_t> ids;
  for (std::int64_t i = 0; i < element_count(shape); ++i) ids.push_back(i * i * 7 % vocabulary);
  return from_vector(ids, shape);
}

void check(const Shape& ids, std::int64_t vocabulary, std::int64_t dim,
           std::vector<DType> dtypes = OpCheck{}.dtypes) {
  check_op({.name = str("embedding", to_string(ids), " of ", vocabulary, " x ", dim),
            .fn = [](const std::vector<Tensor>& in) { return embedding(in[0], in[1]); },
            .oracle = lookup,
            .inputs = {some_ids(ids, vocabulary), sample({vocabulary, dim})},
            .dtypes = dtypes,
            .gradient = {.elements = 8}});
}

}  // namespace

TEST_CASE("embedding copies a row of the table for each id") {
  for (const std::int64_t dim : {1, 2, 7, 8, 17, 31, 63, 64, 65, 129}) check({11}, 5, dim);
  check({2, 3, 4}, 10, 6);
  check({}, 10, 6);
  check({257}, 1, 3);
}

TEST_CASE("embedding of nothing, and of rows of nothing") {
  check({0}, 5, 4);
  check({3, 0}, 5, 4);
  check({4}, 5, 0);
}

TEST_CASE("embedding of more ids than one thread takes") {
  check({70001}, 97, 3, {DType::float32});
}

TEST_CASE("the gradient of a row nobody looked up is zero, of a popular row exact") {
  const Tensor table = zeros({3, 2});
  table.set_requires_grad();
  // 2^24 + 1 is the first integer that a sum of float ones cannot reach.
  const std::int64_t n = 300000;
  const Tensor ids = full({n}, 1, {.dtype = DType::int64});
  embedding(ids, table).backward(full({n, 2}, 64.0625));
  const float expected = 64.0625f * static_cast<float>(n);
  CHECK(table.grad().to_vector() == std::vector<float>{0, 0, expected, expected, 0, 0});
}

TEST_CASE("the first id outside the table is named, with its place") {
  const Tensor table = zeros({16, 4});
  const auto lookup_ids = [&](std::vector<std::int64_t> ids, Shape shape) {
    return message_of<ArgumentError>([&] { embedding(from_vector(ids, std::move(shape)), table); });
  };
  CHECK(lookup_ids({0, 1, 2, 3, 16, -1}, {2, 3}) ==
        "embedding: 'ids': expected values in [0, 16), got 16 at [1, 1]");
  CHECK(lookup_ids({5, -1}, {2}) == "embedding: 'ids': expected values in [0, 16), got -1 at [1]");
  CHECK(lookup_ids({99}, {}) == "embedding: 'ids': expected values in [0, 16), got 99 at []");
  // A transposed view is numbered as it is seen.
  const Tensor ids = from_vector<std::int64_t>({0, 1, 20, 3, 4, 5}, {2, 3});
  CHECK(message_of<ArgumentError>([&] { embedding(transpose(ids, 0, 1), table); }) ==
        "embedding: 'ids': expected values in [0, 16), got 20 at [2, 0]");
  CHECK(message_of<ArgumentError>([&] {
          embedding(ids, zeros({0, 4}));
        }) == "embedding: 'ids': expected values in [0, 0), got 0 at [0, 0]");
}

TEST_CASE("embedding refuses other types and shapes") {
  CHECK(message_of<DTypeError>([] {
          embedding(zeros({2}), zeros({3, 4}));
        }) == "embedding: 'ids': expected int64, got float32");
  CHECK(message_of<DTypeError>([] {
          embedding(zeros({2}, {.dtype = DType::int32}), zeros({3, 4}));
        }) == "embedding: 'ids': expected int64, got int32");
  CHECK(message_of<ShapeError>([] { embedding(arange(2), zeros({3})); }) ==
        "embedding: 'table': expected [vocabulary, dim], got [3]");
  CHECK(message_of<ShapeError>([] {
          embedding(arange(2), zeros({3, 4, 5}));
        }) == "embedding: 'table': expected [vocabulary, dim], got [3, 4, 5]");
  CHECK(message_of<DTypeError>([] {
          embedding(arange(2), zeros({3, 4}, {.dtype = DType::int64}));
        }) == "embedding: 'dtype': expected float32, float64, bfloat16 or float16, got int64");
}
