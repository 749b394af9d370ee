// Operands that lie on different devices are refused, by every op that takes several, before
// anything is computed.
#include "framework/ops.h"
#include "framework/optimizer.h"
#include "tests/check_op.h"
#include "tests/support/catch.h"

using namespace crocuta;
using namespace crocuta::test;

namespace {

struct Case {
  std::string op, argument;  // what the message names
  std::function<void(Device here, Device there)> call;
};

Tensor on(Device device, Shape shape) {
  return ones(std::move(shape), {.device = device});
}
Tensor ids(Device device, Shape shape) {
  return zeros(std::move(shape), {DType::int64, device});
}

const std::vector<Case> kCases = {
    {"add", "b", [](Device a, Device b) { add(on(a, {2}), on(b, {2})); }},
    {"sub", "b", [](Device a, Device b) { sub(on(a, {2}), on(b, {})); }},
    {"mul", "b", [](Device a, Device b) { mul(on(a, {2}), on(b, {2})); }},
    {"div", "b", [](Device a, Device b) { div(on(a, {2}), on(b, {2})); }},
    {"depthwise_conv1d", "weight",
     [](Device a, Device b) {
       depthwise_conv1d(on(a, {1, 2, 3}), on(b, {2, 1}));
     }},
    {"depthwise_conv1d", "bias",
     [](Device a, Device b) {
       depthwise_conv1d(on(a, {1, 2, 3}), on(a, {2, 1}), on(b, {2}));
     }},
    {"cat", "xs",
     [](Device a, Device b) {
       cat({on(a, {2}), on(b, {2})}, 0);
     }},
    {"matmul", "b",
     [](Device a, Device b) {
       matmul(on(a, {2, 3}), on(b, {3, 2}));
     }},
    {"linear", "weight",
     [](Device a, Device b) {
       linear(on(a, {2, 3}), on(b, {4, 3}));
     }},
    {"linear", "bias",
     [](Device a, Device b) {
       linear(on(a, {2, 3}), on(a, {4, 3}), on(b, {4}));
     }},
    {"linear_to_channels", "weight",
     [](Device a, Device b) {
       linear_to_channels(on(a, {1, 2, 3}), on(b, {4, 3}));
     }},
    {"linear_from_channels", "weight",
     [](Device a, Device b) {
       linear_from_channels(on(a, {1, 3, 2}), on(b, {4, 3}));
     }},
    {"fft_conv", "k",
     [](Device a, Device b) {
       fft_conv(on(a, {1, 2, 3}), on(b, {2, 3}));
     }},
    {"fft_conv", "skip",
     [](Device a, Device b) {
       fft_conv(on(a, {1, 2, 3}), on(a, {2, 3}), on(b, {2}));
     }},
    {"hyena_conv", "k",
     [](Device a, Device b) {
       hyena_conv(on(a, {1, 6, 3}), on(b, {2, 3}));
     }},
    {"layer_norm", "weight",
     [](Device a, Device b) {
       layer_norm(on(a, {2, 3}), on(b, {3}), on(a, {3}));
     }},
    {"layer_norm", "bias",
     [](Device a, Device b) {
       layer_norm(on(a, {2, 3}), on(a, {3}), on(b, {3}));
     }},
    {"embedding", "ids",
     [](Device a, Device b) {
       embedding(ids(b, {2}), on(a, {3, 2}));
     }},
    {"cross_entropy", "targets",
     [](Device a, Device b) {
       cross_entropy(on(a, {2, 3}), ids(b, {2}));
     }},
    {"dropout", "positions",
     [](Device a, Device b) {
       dropout(on(a, {2, 3}), 0.5, {}, {.dim = 0, .length = 2, .positions = ids(b, {2})});
     }},
    {"backward", "dy",
     [](Device a, Device b) { (on(a, {2}).set_requires_grad() * 2).backward(on(b, {2})); }},
    {"set_grad", "grad", [](Device a, Device b) { on(a, {2}).set_grad(on(b, {2})); }},
};

}  // namespace

TEST_CASE("ops refuse operands on different devices, naming both") {
  const std::vector<Device> devices = test_devices();
  if (devices.size() < 2) SKIP_TEST("no GPU beside the CPU");
  for (const Case& c : kCases) {
    for (const auto& [here, there] :
         {std::pair(devices[0], devices[1]), std::pair(devices[1], devices[0])}) {
      CAPTURE(c.op, c.argument, name(here));
      CHECK(message_of<DeviceError>([&] { c.call(here, there); }) ==
            str(c.op, ": '", c.argument, "': expected ", here, ", got ", there));
    }
  }
}

TEST_CASE("a gradient on another device than its input is the op's mistake, and named so") {
  const std::vector<Device> devices = test_devices();
  if (devices.size() < 2) SKIP_TEST("no GPU beside the CPU");
  const Tensor x = on(devices[0], {2}).set_requires_grad();
  const Tensor y =
      record("wrong", x * 2, {x}, [&](const Tensor&) -> Grads { return {on(devices[1], {2})}; });
  CHECK(message_of<Error>([&] { y.backward(on(devices[0], {2})); }) ==
        str("wrong: the gradient of input 0 should be on ", devices[0], ", is on ", devices[1]));
  CHECK(!x.grad().defined());
}
