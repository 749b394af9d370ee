#include "framework/device/allocator.h"
#include "framework/ops/ops.h"
#include "tests/support/catch.h"
#include "tests/support/check_op.h"

using namespace crocuta;
using namespace crocuta::test;

TEST_CASE("matmul takes transposed views without copying them") {
  // On the CPU, where the product itself allocates nothing.
  const Tensor a = sample({40, 30}).to(Device::cpu()), b = sample({50, 40}).to(Device::cpu());
  const std::uint64_t before = memory_stats(Device::cpu()).allocations;
  const Tensor y = matmul(transpose(a, 0, 1), transpose(b, 0, 1));
  CHECK(memory_stats(Device::cpu()).allocations == before + 1);
  const Tensor expected = matmul(transpose(a, 0, 1).clone(), transpose(b, 0, 1).clone());
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
