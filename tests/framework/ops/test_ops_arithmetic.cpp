#include "framework/ops/ops.h"
#include "tests/support/catch.h"
#include "tests/support/check_op.h"

using namespace crocuta;
using namespace crocuta::test;

TEST_CASE("integers add, subtract and multiply exactly") {
  const std::int64_t big = (std::int64_t{1} << 53) + 1;  // not a double
  const Tensor a = from_vector<std::int64_t>({big, -3, 5}, {3});
  const Tensor b = from_vector<std::int64_t>({2, 4, -7}, {3});
  CHECK(add(a, b).to_vector<std::int64_t>() == std::vector<std::int64_t>{big + 2, 1, -2});
  CHECK(sub(a, b).to_vector<std::int64_t>() == std::vector<std::int64_t>{big - 2, -7, 12});
  CHECK(mul(a, b).to_vector<std::int64_t>() == std::vector<std::int64_t>{2 * big, -12, -35});
}

TEST_CASE("one tensor may be both operands") {
  gradcheck([](const std::vector<Tensor>& x) { return mul(x[0], x[0]); }, {sample({5})});
  gradcheck([](const std::vector<Tensor>& x) { return div(x[0], x[0]) + sub(x[0], x[0]); },
            {sample({5}, 1, 2)});
}
