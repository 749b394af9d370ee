#include "framework/tensor/tensor.h"

#include <cmath>
#include <limits>

#include "framework/device/allocator.h"
#include "framework/ops/ops.h"
#include "framework/tensor/random.h"
#include "tests/support/catch.h"
#include "tests/support/check_op.h"

using namespace crocuta;
using test::message_of;

TEST_CASE("factories make what they say") {
  CHECK(zeros({2, 3}).to_vector() == std::vector<float>(6, 0));
  CHECK(ones({2}, {.dtype = DType::bfloat16}).to_vector() == std::vector<float>(2, 1));
  CHECK(full({2}, 2.5).to_vector() == std::vector<float>(2, 2.5));
  CHECK(arange(4).to_vector<std::int64_t>() == std::vector<std::int64_t>{0, 1, 2, 3});
  CHECK(from_vector<std::int64_t>({1, 2}, {2, 1}).shape() == Shape{2, 1});
  CHECK(full({}, 3).item() == 3);
  CHECK(empty({0, 5}).numel() == 0);
  CHECK(empty({0, 5}).to_vector().empty());
}

TEST_CASE("impossible shapes are refused before anything is allocated") {
  const auto before = memory_stats(default_device()).allocations;
  const auto refusal = [](const Shape& shape) {
    return message_of<ArgumentError>([&] { empty(shape); });
  };
  const std::int64_t large = std::int64_t{1} << 40;
  CHECK(refusal({-1}) == "element_count: 'shape': expected sizes of at least 0, got [-1]");
  CHECK(refusal({large, large}) ==
        "element_count: 'shape': expected at most 2^63 bytes, got [1099511627776, 1099511627776]");
  CHECK(refusal({0, large, large}) ==
        "element_count: 'shape': expected at most 2^63 bytes, got [0, 1099511627776, "
        "1099511627776]");
  CHECK(refusal({std::numeric_limits<std::int64_t>::max()}) ==
        "element_count: 'shape': expected at most 2^63 bytes, got [9223372036854775807]");
  CHECK(message_of<ShapeError>([] {
          empty({1, 1, 1, 1, 1, 1, 1, 1, 1});
        }) == "empty: 'shape': expected at most 8 dimensions, got [1, 1, 1, 1, 1, 1, 1, 1, 1]");
  CHECK(message_of<ShapeError>([] {
          from_vector<float>({1, 2}, {3});
        }) == "from_vector: 'values': expected 3 for [3], got 2");
  CHECK(memory_stats(default_device()).allocations == before);
}

TEST_CASE("copies of a tensor share elements, clones do not") {
  const Tensor a = zeros({2});
  const Tensor b = a, c = a.clone();
  a.fill_(1);
  CHECK(b.to_vector() == std::vector<float>{1, 1});
  CHECK(c.to_vector() == std::vector<float>{0, 0});
}

TEST_CASE("an undefined or moved-from tensor is refused") {
  Tensor a = zeros({2});
  const Tensor b = std::move(a);
  CHECK(b.defined());
  const std::string expected =
      "Tensor: 'this': expected a tensor with a value, got an undefined one (default-constructed "
      "or moved from)";
  CHECK(message_of<ArgumentError>([&] { a.shape(); }) == expected);  // NOLINT: the point
  CHECK(message_of<ArgumentError>([&] { a.fill_(0); }) == expected);
  CHECK(message_of<ArgumentError>([&] { b.copy_(a); }) == expected);
  CHECK(message_of<ArgumentError>([&] { a.backward(); }) == expected);
  CHECK(message_of<ArgumentError>([] { Tensor().numel(); }) == expected);
}

TEST_CASE("data() insists on the element type") {
  CHECK_THROWS_AS(zeros({2}).data<double>(), DTypeError);
  CHECK_THROWS_WITH(zeros({2}).data<std::int64_t>(),
                    "Tensor::data: 'T': expected float32, got int64");
}

TEST_CASE("converting between all element types keeps representable values") {
  const std::vector<DType> dtypes = {DType::float32, DType::float64, DType::bfloat16,
                                     DType::float16, DType::int64,   DType::int32};
  for (const DType from : dtypes) {
    for (const DType to : dtypes) {
      CHECK(tensor({-3, 0, 1, 64}).to(from).to(to).to_vector<double>() ==
            std::vector<double>{-3, 0, 1, 64});
    }
  }
}

TEST_CASE("the 16-bit floats round to nearest even, by bits as by hardware") {
  CHECK(float(bfloat16(1.00390625f)) == 1.0f);       // halfway, to the even neighbour below
  CHECK(float(bfloat16(1.01171875f)) == 1.015625f);  // halfway, to the even neighbour above
  CHECK(std::isnan(float(bfloat16(std::numeric_limits<float>::signaling_NaN()))));
  CHECK(std::isinf(float(bfloat16(std::numeric_limits<float>::max()))));
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    float16 half;
    half.bits = static_cast<std::uint16_t>(bits);
    const float value = static_cast<float>(half);
    const float by_bits = float16::to_float(half.bits);
    if (std::isnan(value)) {
      REQUIRE(std::isnan(by_bits));
      continue;
    }
    REQUIRE(value == by_bits);
    REQUIRE(float16(value).bits == half.bits);
    REQUIRE(float16::from_float(value) == half.bits);
    // The midpoint to the next larger magnitude goes to the even one of the two.
    if ((bits & 0x7fff) < 0x7bff) {
      const float next = float16::to_float(static_cast<std::uint16_t>(bits + 1));
      const float middle = value / 2 + next / 2;
      REQUIRE(float16::from_float(middle) == (bits & 1 ? bits + 1 : bits));
      REQUIRE(float16(middle).bits == (bits & 1 ? bits + 1 : bits));
    }
  }
}

TEST_CASE("views read and write the elements they name") {
  const Tensor x = reshape(arange(24).to(DType::float32), {2, 3, 4});
  CHECK(transpose(x, 0, 2).contiguous().to_vector() ==
        std::vector<float>{0, 12, 4, 16, 8,  20, 1, 13, 5, 17, 9,  21,
                           2, 14, 6, 18, 10, 22, 3, 15, 7, 19, 11, 23});
  CHECK(narrow(x, 1, 1, 2).to_vector() ==
        std::vector<float>{4, 5, 6, 7, 8, 9, 10, 11, 16, 17, 18, 19, 20, 21, 22, 23});
  CHECK(select(x, -1, -1).to_vector() == std::vector<float>{3, 7, 11, 15, 19, 23});
  CHECK(permute(x, {2, 0, 1}).shape() == Shape{4, 2, 3});
  CHECK(unsqueeze(x, 1).shape() == Shape{2, 1, 3, 4});
  CHECK(squeeze(unsqueeze(x, -1), -1).shape() == x.shape());
  CHECK(expand(tensor({1, 2}), {2, 2}).to_vector() == std::vector<float>{1, 2, 1, 2});
  CHECK(reshape(x, {-1, 4}).shape() == Shape{6, 4});
  CHECK(repeat_interleave(tensor({1, 2}), 3, 0).to_vector() ==
        std::vector<float>{1, 1, 1, 2, 2, 2});
  CHECK(cat({tensor({1}), tensor({2, 3}), empty({0})}, 0).to_vector() ==
        std::vector<float>{1, 2, 3});
  narrow(x, 0, 1, 1).fill_(0);
  CHECK(sum(x).item() == 66);
}

TEST_CASE("a transposing copy of any shape equals the element-by-element one") {
  for (const std::int64_t rows : {1, 2, 31, 32, 33, 65}) {
    for (const std::int64_t columns : {1, 3, 32, 50, 97}) {
      const Tensor x = reshape(arange(3 * rows * columns), {3, rows, columns});
      const std::vector<std::int64_t> y = transpose(x, 1, 2).contiguous().to_vector<std::int64_t>();
      bool equal = true;
      for (std::int64_t b = 0, at = 0; b < 3; ++b) {
        for (std::int64_t j = 0; j < columns; ++j) {
          for (std::int64_t i = 0; i < rows; ++i, ++at) {
            equal = equal && y[static_cast<std::size_t>(at)] == (b * rows + i) * columns + j;
          }
        }
      }
      CHECK(equal);
    }
  }
}

TEST_CASE("shape ops name what does not fit") {
  const Tensor x = zeros({2, 3});
  CHECK_THROWS_WITH(reshape(x, {4, 2}),
                    "reshape: 'shape': expected a shape of 6 elements, as x [2, 3], got [4, 2]");
  CHECK_THROWS_AS(reshape(x, {-1, -1}), ShapeError);
  CHECK_THROWS_AS(reshape(x, {-1, 0}), ShapeError);
  CHECK_THROWS_AS(transpose(x, 0, 2), ShapeError);
  CHECK_THROWS_AS(permute(x, {0, 0}), ShapeError);
  CHECK_THROWS_AS(permute(x, {0}), ShapeError);
  CHECK_THROWS_AS(narrow(x, 1, 2, 2), ShapeError);
  CHECK_THROWS_AS(narrow(x, 1, 1, std::numeric_limits<std::int64_t>::max()), ShapeError);
  CHECK_THROWS_AS(select(x, 0, 2), ShapeError);
  CHECK_THROWS_AS(squeeze(x, 0), ShapeError);
  CHECK_THROWS_AS(expand(x, {3, 3}), ShapeError);
  CHECK_THROWS_AS(cat({}, 0), ArgumentError);
  CHECK_THROWS_AS(cat({x, zeros({2, 4})}, 0), ShapeError);
  CHECK_THROWS_AS(cat({x, zeros({2, 3}, {.dtype = DType::float64})}, 0), DTypeError);
  CHECK_THROWS_AS(repeat_interleave(x, -1, 0), ArgumentError);
  CHECK_THROWS_WITH(x + zeros({2, 4}),
                    "add: 'b': expected a shape that broadcasts with [2, 3], got [2, 4]");
  CHECK_THROWS_AS(x + zeros({3}, {.dtype = DType::float64}), DTypeError);
  CHECK_THROWS_AS(x.size(2), ShapeError);
  CHECK_THROWS_AS(x.item(), ShapeError);
}

TEST_CASE("factories by another tensor, by ranges and of the identity") {
  const Tensor x = rand({2, 3}, {.dtype = DType::float16});
  for (const Tensor& y : {zeros_like(x), ones_like(x), full_like(x, 2.5)}) {
    CHECK(y.shape() == x.shape());
    CHECK(y.dtype() == x.dtype());
    CHECK(y.device() == x.device());
  }
  CHECK(full_like(x, 2.5).to_vector<double>() == std::vector<double>(6, 2.5));
  CHECK(arange(2, 11, 3).to_vector<std::int64_t>() == std::vector<std::int64_t>{2, 5, 8});
  CHECK(arange(2, -3, -2).to_vector<std::int64_t>() == std::vector<std::int64_t>{2, 0, -2});
  CHECK(arange(5, 5).numel() == 0);
  CHECK_THROWS_WITH(arange(0, 5, 0), "arange: 'step': expected a number other than 0, got 0");
  CHECK(linspace(-1, 2, 4).to_vector<double>() == std::vector<double>{-1, 0, 1, 2});
  CHECK(linspace(3, 9, 1).to_vector<double>() == std::vector<double>{3});
  CHECK(linspace(3, 9, 0).numel() == 0);
  CHECK(eye(2, {.dtype = DType::int64}).to_vector<double>() == std::vector<double>{1, 0, 0, 1});
  CHECK(eye(0).shape() == Shape{0, 0});
}

TEST_CASE("tensors are compared exactly or within a tolerance") {
  const double inf = std::numeric_limits<double>::infinity(), nan = std::nan("");
  const Tensor x = tensor({1, -2, 1000});
  CHECK(equal(x, x.clone()));
  CHECK_FALSE(equal(x, x.to(DType::float64)));
  CHECK_FALSE(equal(x, reshape(x, {3, 1})));
  CHECK_FALSE(equal(x, tensor({1, -2, 1001})));
  CHECK_FALSE(equal(tensor({nan}), tensor({nan})));
  CHECK(equal(arange(3), arange(0, 3)));
  CHECK(allclose(x, tensor({1, -2, 1000.009})));
  CHECK_FALSE(allclose(x, tensor({1, -2, 1000.02})));
  CHECK(allclose(x, tensor({1, -2, 1010}), 0.1));
  CHECK_FALSE(allclose(x, reshape(x, {3, 1})));
  CHECK(allclose(tensor({inf, -inf}), tensor({inf, -inf})));
  CHECK_FALSE(allclose(tensor({inf}), tensor({-inf})));
  CHECK_FALSE(allclose(tensor({1}), tensor({inf})));
  CHECK_FALSE(allclose(tensor({nan}), tensor({nan})));
}

TEST_CASE("text from outside is made safe to print") {
  CHECK(printable("plain \xc3\xa9") == "plain \xc3\xa9");
  CHECK(printable("\x1b[31m\n") == "\\x1b[31m\\x0a");
  CHECK(printable("\xff\xc0\x80") == "\\xff\\xc0\\x80");
  CHECK(printable(std::string(300, 'a')).size() == 203);
}
