#include "framework/ops/ops.h"
#include "tests/support/catch.h"
#include "tests/support/check_op.h"

using namespace crocuta;
using namespace crocuta::test;

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
