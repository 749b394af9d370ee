#include <cmath>

#include "kernels/optimizer.h"
#include "tests/kernels/operand.h"

namespace crocuta::test {
namespace {

// What three steps leave behind, all arrays one after the other.
template <class T>
struct Result {
  std::vector<T> param;
  std::vector<accumulator_t<T>> state;
};

template <class T>
void append(std::vector<T>& to, const std::vector<T>& values) {
  to.insert(to.end(), values.begin(), values.end());
}

template <class Device, class T>
Result<T> adamw(std::int64_t n, bool with_master, std::size_t shift) {
  using A = accumulator_t<T>;
  const auto size = static_cast<std::size_t>(n);
  Operand<Device, T> param(numbers<T>(n, -1, 1, 1), shift), grad(numbers<T>(n, -1e-2, 1e-2, 2));
  Operand<Device, A> m(std::vector<A>(size, 0)), v(std::vector<A>(size, 0), shift);
  Operand<Device, A> master(numbers<A>(n, -1, 1, 1));
  for (int t = 1; t <= 3; ++t) {
    const AdamWStep step = {1e-2, 0.9, 0.98, 1e-8, 0.1, 1 - std::pow(0.9, t), 1 - std::pow(0.98, t),
                            0.7};
    adamw_step<Device, T>(n, step, grad.data(), param.data(), m.data(), v.data(),
                          with_master ? master.data() : nullptr, nullptr);
  }
  Result<T> result{param.values(), m.values()};
  append(result.state, v.values());
  append(result.state, master.values());
  return result;
}

template <class Device, class T>
Result<T> sgd(std::int64_t n, bool with_momentum, bool with_master, std::size_t shift) {
  using A = accumulator_t<T>;
  Operand<Device, T> param(numbers<T>(n, -1, 1, 1)), grad(numbers<T>(n, -1e-2, 1e-2, 2), shift);
  Operand<Device, A> buffer(std::vector<A>(static_cast<std::size_t>(n), 0));
  Operand<Device, A> master(numbers<A>(n, -1, 1, 1), shift);
  const SgdStep step = {0.3, with_momentum ? 0.9 : 0.0, 0.01, 0.7};
  for (int t = 0; t < 3; ++t) {
    sgd_step<Device, T>(n, step, grad.data(), param.data(), with_momentum ? buffer.data() : nullptr,
                        with_master ? master.data() : nullptr, nullptr);
  }
  Result<T> result{param.values(), buffer.values()};
  append(result.state, master.values());
  return result;
}

template <class T>
void check(const Result<T>& cuda, const Result<T>& cpu) {
  CHECK(same(cuda.param, cpu.param));
  CHECK(same(cuda.state, cpu.state));
}

}  // namespace

TEST_CASE("a step of AdamW gives the bits of the CPU's") {
  if (!have_gpu()) SKIP_TEST("no GPU");
  for_floating_types([](auto type) {
    using T = typename decltype(type)::type;
    for (const std::int64_t n : kSizes) {
      for (const bool master : {false, true}) {
        for (const std::size_t shift : {0, 1}) {
          CAPTURE(n, master, shift, sizeof(T));
          check(adamw<Cuda, T>(n, master, shift), adamw<Cpu, T>(n, master, shift));
        }
      }
    }
  });
}

TEST_CASE("a step of gradient descent gives the bits of the CPU's") {
  if (!have_gpu()) SKIP_TEST("no GPU");
  for_floating_types([](auto type) {
    using T = typename decltype(type)::type;
    for (const std::int64_t n : kSizes) {
      for (const bool momentum : {false, true}) {
        for (const bool master : {false, true}) {
          for (const std::size_t shift : {0, 1}) {
            CAPTURE(n, momentum, master, shift, sizeof(T));
            check(sgd<Cuda, T>(n, momentum, master, shift),
                  sgd<Cpu, T>(n, momentum, master, shift));
          }
        }
      }
    }
  });
}

}  // namespace crocuta::test
