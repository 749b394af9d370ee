#include "framework/ops/ops.h"
#include "tests/support/catch.h"
#include "tests/support/check_op.h"

using namespace crocuta;
using namespace crocuta::test;

TEST_CASE("views of views lead gradients back to the elements they show") {
  gradcheck(
      [](const std::vector<Tensor>& in) {
        const Tensor t = transpose(narrow(reshape(in[0], {4, 6}), 1, 1, 4), 0, 1);
        return t * select(expand(unsqueeze(t, 0), {3, 4, 4}), 0, 2);
      },
      {sample({2, 12})});
}

TEST_CASE("a tensor joined with itself collects both gradients") {
  const Tensor x = tensor({1, 2});
  x.set_requires_grad();
  sum(cat({x, x * 3}, 0)).backward();
  CHECK(x.grad().to_vector() == std::vector<float>{4, 4});
}
