#include "layers/sequential.h"

#include "framework/ops/ops.h"
#include "layers/inspect/trace.h"
#include "layers/linear.h"
#include "tests/support/catch.h"
#include "tests/support/check_op.h"

namespace crocuta::test {

TEST_CASE("a sequence of layers and functions is their composition") {
  Sequential net;
  Linear& first = net.append<Linear>({.in_features = 3, .out_features = 4});
  net.append(gelu);
  Linear& last = net.append(std::make_unique<Linear>(
      Linear::Options{.in_features = 4, .out_features = 2, .bias = false}));
  const Tensor x = sample({5, 3}).to(DType::float32);
  CHECK(equal(net(x), last(gelu(first(x)))));
  CHECK(net.size() == 3);
  CHECK(net.state_dict().count("0.weight") == 1);
  CHECK(net.state_dict().count("2.weight") == 1);
  CHECK(net.parameter_count() == 3 * 4 + 4 + 4 * 2);
}

TEST_CASE("a sequence of nothing is the identity") {
  Sequential net;
  const Tensor x = ones({2});
  CHECK(net(x).is_same(x));
}

TEST_CASE("the gradient of a sequence is right, in other dtypes too") {
  Sequential net;
  net.append<Linear>({.in_features = 2, .out_features = 3});
  net.append([](const Tensor& x) { return tanh(x); });
  net.append<Linear>({.in_features = 3, .out_features = 1});
  net.to(DType::float64);
  gradcheck([&](const std::vector<Tensor>& x) { return net(x[0]); }, {sample({4, 2})});
}

TEST_CASE("an empty function is refused") {
  CHECK(message_of<ArgumentError>([] { Sequential().append(Sequential::Function()); }) ==
        "Sequential: 'function': expected a function, got none");
}

}  // namespace crocuta::test
