#include "framework/allocator.h"
#include "framework/ops.h"
#include "tests/check_op.h"
#include "tests/support/catch.h"

using namespace crocuta;
using namespace crocuta::test;
using std::int64_t;

namespace {

// The batch index of a result, as an index into an operand whose batch is `from`.
int64_t operand_batch(int64_t index, const Shape& batch, const Shape& from) {
  int64_t result = 0, step = 1;
  for (std::size_t d = 1; d <= batch.size(); ++d) {
    const int64_t size = batch[batch.size() - d], i = index % size;
    index /= size;
    if (d > from.size() || from[from.size() - d] == 1) continue;
    result += i * step;
    step *= size;
  }
  return result;
}

Tensor oracle(const std::vector<Tensor>& x) {
  const Tensor &a = x[0], &b = x[1];
  const int64_t m = a.size(-2), k = a.size(-1), n = b.size(-1);
  const Shape in_a(a.shape().begin(), a.shape().end() - 2);
  const Shape in_b(b.shape().begin(), b.shape().end() - 2);
  Shape batch = in_a.size() > in_b.size() ? in_a : in_b;
  for (std::size_t d = 1; d <= std::min(in_a.size(), in_b.size()); ++d) {
    const int64_t sa = in_a[in_a.size() - d], sb = in_b[in_b.size() - d];
    batch[batch.size() - d] = sa == 1 ? sb : sa;
  }
  const std::vector<double> va = a.to_vector<double>(), vb = b.to_vector<double>();
  std::vector<double> y;
  for (int64_t p = 0; p < element_count(batch); ++p) {
    const int64_t first_a = operand_batch(p, batch, in_a) * m * k;
    const int64_t first_b = operand_batch(p, batch, in_b) * k * n;
    for (int64_t i = 0; i < m; ++i) {
      for (int64_t j = 0; j < n; ++j) {
        double sum = 0;
        for (int64_t l = 0; l < k; ++l) {
          sum += va[static_cast<std::size_t>(first_a + i * k + l)] *
                 vb[static_cast<std::size_t>(first_b + l * n + j)];
        }
        y.push_back(sum);
      }
    }
  }
  Shape shape = batch;
  shape.push_back(m);
  shape.push_back(n);
  return from_vector(y, shape);
}

void check(const Shape& a, const Shape& b) {
  // Every element sums k terms below 4; a gradient may sum all of the other operand's.
  const auto terms = static_cast<double>(a.back() + 2);
  const auto all = static_cast<double>(element_count(a) + element_count(b) + 1);
  check_op({.name = str("matmul", to_string(a), to_string(b)),
            .fn = [](const std::vector<Tensor>& x) { return matmul(x[0], x[1]); },
            .oracle = oracle,
            .inputs = {sample(a, -2, 2, 11), sample(b, -2, 2, 12)},
            .rounding = terms,
            .scale = 4 * terms,
            .gradient_scale = 2 * all,
            .gradient = {.same_bits = false}});
}
}  // namespace

TEST_CASE("matmul multiplies matrices") {
  for (const int64_t n : {1, 2, 7, 16, 17}) check({n, n}, {n, n});
  check({3, 5}, {5, 2});
  check({1, 31}, {31, 1});
  check({31, 1}, {1, 31});
  check({64, 33}, {33, 65});
}

TEST_CASE("matmul broadcasts the leading dimensions") {
  check({4, 3, 5}, {4, 5, 2});
  check({4, 3, 5}, {5, 2});
  check({3, 5}, {4, 5, 2});
  check({1, 3, 5}, {4, 5, 2});
  check({4, 3, 5}, {1, 5, 2});
  check({2, 3, 4, 5}, {5, 6});
  check({2, 3, 4, 5}, {2, 3, 5, 6});
  check({2, 1, 4, 5}, {3, 5, 6});
  check({2, 1, 4, 5}, {1, 3, 5, 6});
  check({2, 1, 3, 4, 5}, {4, 1, 5, 2});
}

TEST_CASE("matmul of sizes of zero") {
  check({0, 3}, {3, 2});
  check({2, 3}, {3, 0});
  check({2, 0}, {0, 3});
  check({0, 2, 3}, {3, 4});
  check({4, 2, 0}, {4, 0, 3});
}

TEST_CASE("matmul takes transposed views without copying them") {
  // On the CPU, where the product itself allocates nothing.
  const Tensor a = sample({40, 30}).to(Device::cpu()), b = sample({50, 40}).to(Device::cpu());
  const std::uint64_t before = memory_stats(Device::cpu()).allocations;
  const Tensor y = matmul(transpose(a, 0, 1), transpose(b, 0, 1));
  CHECK(memory_stats(Device::cpu()).allocations == before + 1);
  const Tensor expected = oracle({transpose(a, 0, 1).clone(), transpose(b, 0, 1).clone()});
  const std::vector<double> actual = y.to_vector<double>(), wanted = expected.to_vector<double>();
  for (std::size_t i = 0; i < actual.size(); ++i)
    CHECK(actual[i] == Approx(wanted[i]).margin(1e-12));
}

TEST_CASE("matmul's gradients with a shared matrix are the sums over the batch") {
  // Large enough to be cut into tasks, with a sum over the batch in both layouts.
  const Tensor a = sample({6, 70, 90}, -1, 1, 1), b = sample({90, 80}, -1, 1, 2);
  const Tensor wide_b = expand(b, {6, 90, 80}).clone();
  const Tensor dy = sample({6, 70, 80}, -1, 1, 3);
  for (const bool transposed : {false, true}) {
    const Tensor leaf_a = a.clone(), leaf_b = b.clone(), leaf_wide = wide_b.clone();
    leaf_a.set_requires_grad();
    leaf_b.set_requires_grad();
    leaf_wide.set_requires_grad();
    const auto left = [&] {
      return transposed ? transpose(transpose(leaf_a, 1, 2).contiguous(), 1, 2) : leaf_a;
    };
    matmul(left(), leaf_b).backward(dy);
    matmul(left(), leaf_wide).backward(dy);
    const std::vector<double> one = leaf_b.grad().to_vector<double>();
    const std::vector<double> all = sum(leaf_wide.grad(), {0}).to_vector<double>();
    for (std::size_t i = 0; i < one.size(); ++i) CHECK(one[i] == Approx(all[i]).margin(1e-11));
  }
}

TEST_CASE("matmul says which shapes do not fit") {
  const Tensor x = zeros({2, 3});
  const auto error = [](const Tensor& a, const Tensor& b) {
    return message_of<ShapeError>([&] { matmul(a, b); });
  };
  CHECK(error(zeros({3}), x) == "matmul: 'a': expected [..., m, k], got [3]");
  CHECK(error(x, zeros({3})) == "matmul: 'b': expected [..., k, n], got [3]");
  CHECK(error(x, zeros({2, 4})) ==
        "matmul: 'b': expected [..., 3, n] to go with a [2, 3], got [2, 4]");
  CHECK(error(zeros({4, 2, 3}), zeros({5, 3, 2})) ==
        "matmul: 'b': expected batch dimensions that broadcast with those of a [4, 2, 3], "
        "got [5, 3, 2]");
  CHECK(message_of<DTypeError>([&] {
          matmul(x, sample({3, 2}));
        }) == "matmul: 'b': expected float32, got float64");
  CHECK(message_of<DTypeError>([] {
          matmul(zeros({2, 2}, {.dtype = DType::int64}), zeros({2, 2}, {.dtype = DType::int64}));
        }) == "matmul: 'dtype': expected float32, float64, bfloat16 or float16, got int64");
}
