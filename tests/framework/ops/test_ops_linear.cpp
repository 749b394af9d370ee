#include "framework/device/allocator.h"
#include "framework/ops/ops.h"
#include "tests/support/catch.h"
#include "tests/support/check_op.h"

using namespace crocuta;
using namespace crocuta::test;

TEST_CASE("linear takes any number of leading dimensions") {
  const Tensor x = sample({2, 3, 4, 5}), w = sample({6, 5}), bias = sample({6});
  const Tensor y = linear(x, w, bias);
  CHECK(y.shape() == Shape{2, 3, 4, 6});
  CHECK(y.to_vector<double>() == linear(reshape(x, {24, 5}), w, bias).to_vector<double>());
  CHECK(linear(sample({5}), w).shape() == Shape{6});
}

TEST_CASE("a linear map of some rows equals those rows of the whole") {
  const Tensor x = sample({64, 40}), w = sample({30, 40});
  const std::vector<double> whole = narrow(linear(x, w), 0, 16, 7).to_vector<double>();
  const std::vector<double> part = linear(narrow(x, 0, 16, 7), w).to_vector<double>();
  for (std::size_t i = 0; i < part.size(); ++i) CHECK(part[i] == Approx(whole[i]).margin(1e-13));
}

TEST_CASE("linear maps keep no copy of contiguous inputs") {
  // On the CPU, where the product itself allocates nothing.
  const Tensor x = sample({4, 5, 6}).to(Device::cpu()), w = sample({7, 6}).to(Device::cpu());
  w.set_requires_grad();
  const std::uint64_t before = memory_stats(Device::cpu()).allocations;
  const Tensor y = linear(x, w);
  CHECK(memory_stats(Device::cpu()).allocations == before + 1);
}
