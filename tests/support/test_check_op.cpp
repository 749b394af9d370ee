// The checkers themselves: each kind of mistake they exist for is made on purpose.
#include "framework/ops/ops.h"
#include "tests/support/catch.h"
#include "tests/support/check_op.h"

using namespace crocuta;
using namespace crocuta::test;

namespace {
// x * x whose gradient is `factor` * x instead of 2 * x.
Fn square_with_gradient(double factor) {
  return [factor](const std::vector<Tensor>& in) {
    const Tensor x = in[0].detach();
    return record("square", mul(x, x), {in[0]},
                  [x, factor](const Tensor& dy) -> Grads { return {mul(dy, x) * factor}; });
  };
}
}  // namespace

TEST_CASE("gradcheck accepts the right gradient of a square") {
  CHECK(gradient_mismatch(square_with_gradient(2), {sample({3, 5})}) == "");
  CHECK(gradient_mismatch(square_with_gradient(2), {sample({70, 3})}) == "");
}

TEST_CASE("gradcheck notices a gradient that is wrong by 0.001 %") {
  CHECK_THAT(gradient_mismatch(square_with_gradient(2.00002), {sample({3, 5})}),
             ContainsSubstring("input 0, element 0: gradient"));
}

TEST_CASE("gradcheck notices one wrong element that it does not look at by itself") {
  const Fn fn = [](const std::vector<Tensor>& in) {
    const Tensor x = in[0].detach();
    return record("square", mul(x, x), {in[0]}, [x](const Tensor& dy) -> Grads {
      const Tensor dx = mul(dy, x) * 2;
      narrow(dx, 0, 1, 1).fill_(0);
      return {dx};
    });
  };
  CHECK_THAT(gradient_mismatch(fn, {sample({1000})}),
             ContainsSubstring("along a random direction"));
}

TEST_CASE("gradcheck notices a missing gradient") {
  const Fn fn = [](const std::vector<Tensor>& in) { return mul(in[0], in[1].detach()); };
  CHECK(gradient_mismatch(fn, {sample({3}), sample({3})}) == "input 1: no gradient");
}

TEST_CASE("gradcheck notices an op that ignores the strides of its input") {
  const Fn fn = [](const std::vector<Tensor>& in) {
    const Tensor& x = in[0];
    const Tensor y(x.storage(), x.shape(), contiguous_strides(x.shape()), x.offset(), x.dtype());
    return record("copy", y.clone(), {x}, [](const Tensor& dy) -> Grads { return {dy}; });
  };
  CHECK_THAT(gradient_mismatch(fn, {sample({3, 4})}), ContainsSubstring("strided inputs: result"));
}

TEST_CASE("gradcheck notices a gradient that depends on who else asks for one") {
  const Fn fn = [](const std::vector<Tensor>& in) {
    const double factor = in[0].requires_grad() && in[1].requires_grad() ? 1 : 2;
    return record("add", add(in[0].detach(), in[1].detach()), {in[0], in[1]},
                  [factor](const Tensor& dy) -> Grads {
                    return {dy * factor, dy};
                  });
  };
  CHECK_THAT(gradient_mismatch(fn, {sample({3}), sample({3})}),
             ContainsSubstring("gradient 0 asked for alone"));
}

TEST_CASE("scattered keeps values and shape and is not contiguous") {
  const Tensor x = sample({2, 3, 5});
  const Tensor y = scattered(x);
  CHECK(!y.is_contiguous());
  CHECK(y.shape() == x.shape());
  CHECK(y.to_vector<double>() == x.to_vector<double>());
}

TEST_CASE("message_of tells what was thrown") {
  CHECK(message_of<ShapeError>([] { throw ShapeError("a"); }) == "a");
  CHECK(message_of<ShapeError>([] { throw DTypeError("a"); }) == "(another type) a");
  CHECK(message_of<ShapeError>([] {}) == "(nothing thrown)");
}
