#include <algorithm>
#include <limits>

#include "kernels/copy.h"
#include "kernels/cuda/toolbox/divider.h"
#include "kernels/cuda/toolbox/grid.h"
#include "kernels/cuda/toolbox/transpose.h"
#include "tests/kernels/operand.h"

namespace crocuta::test {
namespace {

std::int64_t span(const StridedShape<2>& shape, int operand) {
  std::int64_t last = 0;
  for (int d = 0; d < shape.dims; ++d) {
    if (shape.size[d] == 0) return 0;
    last += (shape.size[d] - 1) * shape.stride[operand][d];
  }
  return last + 1;
}

// Sizes, strides of y, strides of x.
StridedShape<2> strided(const std::vector<std::int64_t>& size, const std::vector<std::int64_t>& y,
                        const std::vector<std::int64_t>& x) {
  StridedShape<2> shape;
  shape.dims = static_cast<int>(size.size());
  shape.numel = 1;
  for (std::size_t d = 0; d < size.size(); ++d) {
    shape.size[d] = size[d];
    shape.stride[0][d] = y[d];
    shape.stride[1][d] = x[d];
    shape.numel *= size[d];
  }
  return shape;
}
StridedShape<2> contiguous(std::int64_t n) {
  return strided({n}, {1}, {1});
}

template <class Device, class To, class From>
std::vector<To> copied(const StridedShape<2>& shape, const std::vector<From>& from,
                       std::size_t to_shift, std::size_t from_shift) {
  Operand<Device, From> x(from, from_shift);
  Operand<Device, To> y(numbers<To>(span(shape, 0), 5, 9, 3), to_shift);
  copy<Device, To, From>(shape, y.data(), x.data(), nullptr);
  CHECK(same(x.values(), from));
  return y.values();
}

template <class To, class From>
void compare(const StridedShape<2>& shape, std::size_t to_shift = 0, std::size_t from_shift = 0) {
  // Negative and large numbers, of which none is beyond what an int32 holds.
  const auto x = numbers<From>(span(shape, 1), -1000, 1000);
  CAPTURE(shape.numel, shape.dims, to_shift, from_shift, sizeof(To), sizeof(From));
  CHECK(same(copied<Cuda, To>(shape, x, to_shift, from_shift),
             copied<Cpu, To>(shape, x, to_shift, from_shift)));
}

// Copies of one size of elements each, and of both orders of different ones.
void compare_some_types(const StridedShape<2>& shape) {
  for (const std::size_t shift : {0, 1}) {
    compare<float, float>(shape, shift, 0);
    compare<double, double>(shape, 0, shift);
    compare<bfloat16, bfloat16>(shape, shift, shift);
    compare<float, bfloat16>(shape, 0, shift);
    compare<float16, double>(shape, shift, 0);
  }
}

}  // namespace

TEST_CASE("fill and iota write what they write on the CPU") {
  if (!have_gpu()) SKIP_TEST("no GPU");
  for_types([](auto type) {
    using T = typename decltype(type)::type;
    const T first = T(static_cast<accumulator_t<T>>(-3));
    for (const std::int64_t n : kSizes) {
      for (const std::size_t shift : {0, 1}) {
        const auto run = [&](auto device) {
          using Device = typename decltype(device)::type;
          Operand<Device, T> filled(numbers<T>(n, 5, 9), shift),
              counted(numbers<T>(n, 5, 9), shift);
          fill<Device, T>(n, first, filled.data(), nullptr);
          iota<Device, T>(n, first, counted.data(), nullptr);
          return std::pair(filled.values(), counted.values());
        };
        const auto cpu = run(Type<Cpu>{}), cuda = run(Type<Cuda>{});
        CAPTURE(n, shift);
        CHECK(same(cuda.first, cpu.first));
        CHECK(same(cuda.second, cpu.second));
      }
    }
  });
}

TEST_CASE("a contiguous copy converts between all types at all sizes and alignments") {
  if (!have_gpu()) SKIP_TEST("no GPU");
  for_types([](auto to) {
    for_types([](auto from) {
      using To = typename decltype(to)::type;
      using From = typename decltype(from)::type;
      for (const std::int64_t n : kSizes) {
        compare<To, From>(contiguous(n), 0, 0);
        compare<To, From>(contiguous(n), 0, 1);
        compare<To, From>(contiguous(n), 1, 0);
      }
    });
  });
}

TEST_CASE("a copy within one type keeps every bit, also of NaNs") {
  if (!have_gpu()) SKIP_TEST("no GPU");
  std::vector<bfloat16> x(65536);
  for (std::size_t i = 0; i < x.size(); ++i) x[i].bits = static_cast<std::uint16_t>(i);
  const auto bits_kept = [&](const StridedShape<2>& shape) {
    auto y = copied<Cuda, bfloat16>(shape, x, 0, 0);
    std::sort(y.begin(), y.end(), [](bfloat16 a, bfloat16 b) { return a.bits < b.bits; });
    return std::memcmp(y.data(), x.data(), x.size() * sizeof(bfloat16)) == 0;
  };
  CHECK(bits_kept(contiguous(65536)));
  CHECK(bits_kept(strided({256, 256}, {256, 1}, {1, 256})));
}

TEST_CASE("a float16 or bfloat16 made from a float is rounded as on the CPU") {
  if (!have_gpu()) SKIP_TEST("no GPU");
  std::vector<float> x = {0.0f, -0.0f, HUGE_VALF, -HUGE_VALF, NAN, 0x1p-149f, 0x1p-24f, 0x1p-25f};
  for (std::uint64_t bits = 0; bits < (std::uint64_t{1} << 32); bits += 39119) {
    const auto word = static_cast<std::uint32_t>(bits);
    float value;
    std::memcpy(&value, &word, sizeof value);
    x.push_back(value);
  }
  const auto shape = contiguous(static_cast<std::int64_t>(x.size()));
  CHECK(same(copied<Cuda, bfloat16>(shape, x, 0, 0), copied<Cpu, bfloat16>(shape, x, 0, 0)));
  CHECK(same(copied<Cuda, float16>(shape, x, 0, 0), copied<Cpu, float16>(shape, x, 0, 0)));
}

TEST_CASE("transposes of awkward shapes are copied") {
  if (!have_gpu()) SKIP_TEST("no GPU");
  for (const std::int64_t rows : {1, 2, 7, 8, 31, 32, 33, 65, 257}) {
    for (const std::int64_t columns : {1, 2, 8, 31, 32, 33, 100}) {
      // y contiguous and x transposed, the reverse, and both within larger matrices.
      compare_some_types(strided({rows, columns}, {columns, 1}, {1, rows}));
      compare_some_types(strided({rows, columns}, {1, rows}, {columns, 1}));
      compare_some_types(strided({rows, columns}, {columns + 3, 1}, {1, rows + 5}));
    }
  }
}

TEST_CASE("batches of transposes, of permutations and of stretched dimensions are copied") {
  if (!have_gpu()) SKIP_TEST("no GPU");
  compare_some_types(strided({5, 33, 40}, {1320, 40, 1}, {1320, 1, 33}));
  compare_some_types(strided({33, 5, 40}, {200, 40, 1}, {1, 1320, 33}));
  compare_some_types(strided({3, 9, 2, 11}, {198, 22, 11, 1}, {1, 66, 33, 3}));
  compare_some_types(strided({9, 3, 11, 2}, {66, 22, 2, 1}, {1, 9, 27, 297}));
  compare_some_types(strided({4, 12, 20}, {240, 20, 1}, {0, 1, 12}));
  compare_some_types(strided({2, 3, 2, 2, 3, 2, 2, 2}, {288, 96, 48, 24, 8, 4, 2, 1},
                             {1, 2, 6, 12, 24, 72, 144, 288}));
}

TEST_CASE("rows of larger rows, stretched numbers and steps are copied") {
  if (!have_gpu()) SKIP_TEST("no GPU");
  for (const std::int64_t n : {1, 3, 4, 8, 16, 31, 32, 64, 257}) {
    compare_some_types(strided({7, n}, {n, 1}, {n + 1, 1}));   // narrow
    compare_some_types(strided({7, n}, {n + 16, 1}, {n, 1}));  // cat
    compare_some_types(strided({7, n}, {n, 1}, {1, 0}));       // expand along the rows
    compare_some_types(strided({7, n}, {n, 1}, {0, 1}));       // expand along the columns
    compare_some_types(strided({7, n}, {2 * n, 2}, {3 * n, 3}));
  }
  compare_some_types(strided({1000}, {1}, {0}));
  compare_some_types(strided({0, 3}, {3, 1}, {1, 0}));
}

TEST_CASE("division by multiplication is exact") {
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  std::vector<std::int64_t> numbers = {0, 1, 2, 3, 5, 7, 10, 641, 65535, 65537, 1000003};
  for (int shift = 20; shift < 63; ++shift) {
    for (int d = -2; d <= 2; ++d) numbers.push_back((std::int64_t{1} << shift) + d);
  }
  for (int d = 0; d < 3; ++d) numbers.push_back(kMost - d);
  for (int d = 0; d < 3; ++d) numbers.push_back(kMost / 3 - d);
  int wrong = 0;
  for (const std::int64_t divisor : numbers) {
    if (divisor == 0 || divisor > (std::int64_t{1} << 62)) continue;
    const Divider by(divisor);
    for (const std::int64_t n : numbers) {
      wrong += by.divide(n) != n / divisor;
      const std::int64_t multiple = n / divisor * divisor;
      wrong += by.divide(multiple) != multiple / divisor;
      if (multiple > 0) wrong += by.divide(multiple - 1) != (multiple - 1) / divisor;
    }
  }
  CHECK(wrong == 0);
  CHECK(Divider().divide(12345678901) == 12345678901);
}

TEST_CASE("grids stay within CUDA's limits for more than 2^31 elements") {
  constexpr std::int64_t kHuge = std::int64_t{1} << 42;
  for (const int width : {1, 4, 8}) {
    for (const std::int64_t n : {std::int64_t{1}, (std::int64_t{1} << 31) + 1, kHuge}) {
      const LaunchConfig config = chunk_grid(n, width);
      CHECK((config.grid.x >= 1 && config.grid.x <= kMaxGridX));
      CHECK((config.grid.y == 1 && config.grid.z == 1 && config.block.x == kBlockThreads));
    }
  }
  CHECK(chunk_grid(0, 4).grid.x == 0);
  CHECK(chunk_grid(2048, 4).grid.x == 1);
  CHECK(chunk_grid(2049, 4).grid.x == 2);

  const auto transpose =
      find_transpose(strided({1 << 20, 70000, 3}, {210000, 3, 1}, {1, 3 << 20, 1 << 20}));
  CHECK(!transpose);  // y has but three columns
  const auto batch = find_transpose(
      strided({70000, 1 << 10, 1 << 10}, {1 << 20, 1 << 10, 1}, {1 << 20, 1, 1 << 10}));
  REQUIRE(batch);
  CHECK(batch->tiles == std::int64_t{70000} * 32 * 32);
  CHECK(transpose_grid(*batch).grid.x == 70000 * 1024);
  CHECK(transpose_grid(*batch).grid.y == 1);
}

}  // namespace crocuta::test
