// Gradients that lie on another device are refused. Operands of ops: tests/cases/.
#include "framework/ops/ops.h"
#include "tests/support/catch.h"
#include "tests/support/check_op.h"

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
const std::vector<Case> kCases = {
    {"backward", "dy",
     [](Device a, Device b) { (on(a, {2}).set_requires_grad() * 2).backward(on(b, {2})); }},
    {"set_grad", "grad", [](Device a, Device b) { on(a, {2}).set_grad(on(b, {2})); }},
};

}  // namespace

TEST_CASE("gradients on another device than their tensor are refused, naming both") {
  const std::vector<Device> devices = test_devices();
  if (devices.size() < 2) SKIP_TEST("no GPU beside the CPU");
  for (const Case& c : kCases) {
    for (const bool gpu_first : {false, true}) {
      // Not by a structured binding, which Clang's lambdas capture from version 16 on only.
      const Device here = devices[gpu_first ? 1 : 0], there = devices[gpu_first ? 0 : 1];
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
