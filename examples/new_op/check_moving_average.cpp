// What an operation of yours should be tested for, by whatever framework you use for tests.
#include <crocuta/ops.h>
#include <crocuta/testing.h>

#include <iostream>

#include "moving_average.h"

using namespace crocuta;

int main() try {
  set_default_device(Device::cpu());  // where there is a GPU, too
  const Tensor y = example::moving_average(tensor({4, 0, 8}), 0.5);
  if (!equal(y, tensor({2, 1, 4.5}))) {
    std::cout << "expected 2 1 4.5, got " << y << '\n';
    return 1;
  }
  const std::string mismatch = testing::gradient_mismatch(
      [](const std::vector<Tensor>& x) { return example::moving_average(x[0], 0.9); },
      {testing::sample({2, 3, 10})});
  std::cout << (mismatch.empty() ? "moving_average: values and gradient are right" : mismatch)
            << '\n';
  return mismatch.empty() ? 0 : 1;
} catch (const Error& error) {
  std::cerr << "check_moving_average: " << error.what() << '\n';
  return 1;
}
