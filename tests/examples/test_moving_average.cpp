// The test of examples/new_op: what an op of yours should be tested for.
#include "examples/new_op/moving_average.h"

#include "framework/base/error.h"
#include "tests/support/catch.h"
#include "tests/support/check_op.h"

using namespace crocuta;
using namespace crocuta::test;
using example::moving_average;

TEST_CASE("a moving average does what its formula says, in every dtype") {
  const auto oracle = [](const std::vector<Tensor>& x) {
    std::vector<double> y = x[0].to_vector<double>();
    const auto length = static_cast<std::size_t>(x[0].size(-1));
    for (std::size_t i = 0; i < y.size(); ++i) {
      y[i] = 0.25 * y[i] + (i % length == 0 ? 0 : 0.75 * y[i - 1]);
    }
    return from_vector(y, x[0].shape());
  };
  OpCheck op{.name = "moving_average",
             .fn =
                 [](const std::vector<Tensor>& x) {
                   return moving_average(x[0].to(Device::cpu()), 0.75).to(x[0].device());
                 },
             .oracle = oracle,
             .inputs = {sample({2, 3, 9})}};
  op.rounding = 16;  // terms per sum that matter
  op.scale = 2;      // of the terms, which may cancel
  check_op(op);
}

TEST_CASE("a moving average says what it cannot do") {
  CHECK(message_of<ArgumentError>([] { moving_average(ones({3}), 1); }) ==
        "moving_average: 'decay': expected a number from 0 to below 1, got 1");
  CHECK(message_of<DTypeError>([] { moving_average(arange(3), 0.5); }) ==
        "moving_average: 'dtype': expected float32, float64, bfloat16 or float16, got int64");
  CHECK(message_of<ShapeError>([] { moving_average(ones({}), 0.5); }) ==
        "moving_average: 'x': expected at least one dimension, got []");
  for (const Device device : test_devices()) {
    if (device.is_cpu()) continue;
    CHECK(message_of<DeviceError>([&] { moving_average(ones({3}, {.device = device}), 0.5); }) ==
          "moving_average: 'device': expected cpu, for want of a CUDA kernel, got cuda:0");
  }
}
