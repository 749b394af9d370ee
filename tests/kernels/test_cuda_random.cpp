#include <cmath>

#include "kernels/dropout.h"
#include "kernels/random.h"
#include "tests/kernels/operand.h"

namespace crocuta::test {
namespace {

struct Drawn {
  std::uint64_t seed = 0x123456789abcdefull, stream = 3;
  std::uint64_t threshold = std::uint64_t{3} << 30;  // drops three of four
};

template <class Device, class T>
std::vector<T> dropped(const DropoutRows& rows, const std::vector<std::int64_t>& positions,
                       std::uint64_t threshold, std::size_t shift) {
  const std::int64_t n = rows.outer * rows.rows * rows.inner;
  Operand<Device, T> x(numbers<T>(n, 1, 2), shift), y(numbers<T>(n, 5, 9), shift);
  Operand<Device, std::int64_t> at(positions);
  DropoutRows part = rows;
  if (!positions.empty()) part.positions = at.data();
  const Drawn drawn;
  dropout<Device, T>(part, drawn.seed, drawn.stream, threshold, 4 / 3.0, x.data(), y.data(),
                     nullptr);
  const std::vector<T> result = y.values();
  // In place, the same.
  dropout<Device, T>(part, drawn.seed, drawn.stream, threshold, 4 / 3.0, x.data(), x.data(),
                     nullptr);
  CHECK(same(x.values(), result));
  return result;
}

void check_dropout(const DropoutRows& rows, const std::vector<std::int64_t>& positions = {},
                   std::uint64_t threshold = Drawn{}.threshold) {
  for_floating_types([&](auto type) {
    using T = typename decltype(type)::type;
    for (const std::size_t shift : {0, 1}) {
      CAPTURE(rows.outer, rows.rows, rows.inner, rows.global_rows, rows.first_row, shift);
      CHECK(same(dropped<Cuda, T>(rows, positions, threshold, shift),
                 dropped<Cpu, T>(rows, positions, threshold, shift)));
    }
  });
}

}  // namespace

TEST_CASE("uniform and normal numbers are those of the CPU to the bit") {
  if (!have_gpu()) SKIP_TEST("no GPU");
  for_floating_types([](auto type) {
    using T = typename decltype(type)::type;
    for (const std::int64_t n : kSizes) {
      for (const std::size_t shift : {0, 1}) {
        const auto draw = [&](auto device) {
          using Device = typename decltype(device)::type;
          const Drawn drawn;
          Operand<Device, T> u(numbers<T>(n, 5, 9), shift), z(numbers<T>(n, 5, 9), shift);
          random_uniform<Device, T>(n, drawn.seed, drawn.stream, -0.1, 0.3, u.data(), nullptr);
          random_normal<Device, T>(n, drawn.seed, drawn.stream, 0.1, 0.7, z.data(), nullptr);
          return std::pair(u.values(), z.values());
        };
        const auto cuda = draw(Type<Cuda>{}), cpu = draw(Type<Cpu>{});
        CAPTURE(n, shift, sizeof(T));
        CHECK(same(cuda.first, cpu.first));
        CHECK(same(cuda.second, cpu.second));
      }
    }
  });
}

TEST_CASE("dropout keeps what it keeps on the CPU") {
  if (!have_gpu()) SKIP_TEST("no GPU");
  for (const std::int64_t n : kSizes) check_dropout({.rows = n, .global_rows = n});
  check_dropout({.rows = 1000, .global_rows = 1000}, {}, 0);
  check_dropout({.rows = 1000, .global_rows = 1000}, {}, std::uint64_t{1} << 32);
}

TEST_CASE("dropout of a part keeps what it keeps of the whole") {
  if (!have_gpu()) SKIP_TEST("no GPU");
  for (const std::int64_t inner : {1, 2, 3, 4, 8, 12, 32, 33}) {
    for (const std::int64_t first : {0, 1, 4, 7}) {
      check_dropout({.outer = 3, .rows = 9, .inner = inner, .global_rows = 20, .first_row = first});
      check_dropout({.outer = 1, .rows = 8, .inner = inner, .global_rows = 20, .first_row = first});
    }
    check_dropout({.outer = 2, .rows = 5, .inner = inner, .global_rows = 20}, {19, 0, 7, 8, 3});
    const std::int64_t far = std::int64_t{1} << 33;  // numbers of more than 32 bits
    check_dropout(
        {.outer = 2, .rows = 5, .inner = inner, .global_rows = far, .first_row = far - 20});
  }
}

}  // namespace crocuta::test
