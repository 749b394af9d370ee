#include "framework/ops/ops.h"
#include "tests/support/catch.h"
#include "tests/support/check_op.h"

using namespace crocuta;
using namespace crocuta::test;

TEST_CASE("depthwise_conv1d on a slice of the channels uses and updates only its groups") {
  // Channels 3 to 7 of 12 in groups of 3: all of group 1 and two of the three of group 2.
  const DepthwiseConv1dOptions options{.hidden_dim = 12, .channel_offset = 3};
  const Tensor x = sample({2, 5, 17}), weight = sample({4, 4}).set_requires_grad();
  const Tensor bias = sample({4}).set_requires_grad();
  sum(depthwise_conv1d(x, weight, bias, options)).backward();
  const auto dweight = weight.grad().to_vector<double>(), dbias = bias.grad().to_vector<double>();
  for (std::size_t k = 0; k < 4; ++k) {
    CHECK(dweight[k] == 0);
    CHECK(dweight[12 + k] == 0);
  }
  CHECK(dbias == std::vector<double>{0, 2 * 3 * 17, 2 * 2 * 17, 0});
}

TEST_CASE("depthwise_conv1d of nothing gives nothing, and zero gradients") {
  for (const Shape& shape : {Shape{0, 4, 7}, Shape{3, 4, 0}, Shape{0, 4, 0}}) {
    const Tensor x = zeros(shape).set_requires_grad();
    const Tensor weight = ones({2, 3}).set_requires_grad(), bias = ones({2}).set_requires_grad();
    const Tensor y = depthwise_conv1d(x, weight, bias);
    CHECK(y.shape() == shape);
    sum(y).backward();
    CHECK(x.grad().shape() == shape);
    CHECK(weight.grad().to_vector() == std::vector<float>(6, 0));
    CHECK(bias.grad().to_vector() == std::vector<float>(2, 0));
  }
}
