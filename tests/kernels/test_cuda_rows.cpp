// Kernels that work row by row: softmax, layer_norm, cross_entropy, max.
#include "kernels/copy.h"
#include "kernels/cross_entropy.h"
#include "kernels/layer_norm.h"
#include "kernels/max.h"
#include "kernels/reduce.h"
#include "kernels/softmax.h"
#include "tests/kernels/cuda_comparison.h"

using namespace crocuta;
using namespace crocuta::kernels;
using namespace crocuta::test;
using std::int64_t;

namespace {

struct Size {
  int64_t rows, n;
};
// Around the widths of vectors, warps and blocks; rows that a thread's registers hold and do not;
// more rows than a grid has blocks along y.
const std::vector<Size> kSizes = {{0, 8},    {5, 1},    {37, 2},   {9, 3},     {300, 4},  {17, 7},
                                  {9, 31},   {9, 32},   {9, 33},   {3, 64},    {5, 127},  {3, 128},
                                  {3, 255},  {3, 256},  {3, 257},  {2, 511},   {2, 512},  {2, 513},
                                  {2, 1023}, {2, 1024}, {2, 1025}, {2, 2052},  {1, 4096}, {1, 4099},
                                  {1, 4104}, {1, 8200}, {1, 9001}, {1, 20000}, {65537, 3}};

template <class Device, class T>
Results softmax(Size s, const std::vector<T>& x_values, int offset) {
  const int64_t size = s.rows * s.n;
  Operand<Device, T> x(x_values, offset), dy(random_values<T>(size, 2), offset);
  auto y = results<Device, T>(size, offset), dx = results<Device, T>(size, offset);
  auto log_y = results<Device, T>(size, offset), log_dx = results<Device, T>(size, offset);
  softmax_forward<Device, T>(s.rows, s.n, x.data(), y.data(), nullptr);
  softmax_backward<Device, T>(s.rows, s.n, y.data(), dy.data(), dx.data(), nullptr);
  log_softmax_forward<Device, T>(s.rows, s.n, x.data(), log_y.data(), nullptr);
  log_softmax_backward<Device, T>(s.rows, s.n, log_y.data(), dy.data(), log_dx.data(), nullptr);
  return {y.values(), dx.values(), log_y.values(), log_dx.values()};
}

template <class Device, class T>
Results layer_norm(Size s, const std::vector<T>& x_values, int offset) {
  using A = accumulator_t<T>;
  const int64_t size = s.rows * s.n;
  Operand<Device, T> x(x_values, offset), dy(random_values<T>(size, 2), offset);
  Operand<Device, T> weight(random_values<T>(s.n, 3), offset);
  Operand<Device, T> bias(random_values<T>(s.n, 4), offset);
  auto y = results<Device, T>(size, offset), dx = results<Device, T>(size, offset);
  auto dweight = results<Device, T>(s.n, offset), dbias = results<Device, T>(s.n, offset);
  auto moments = results<Device, A>(3 * s.rows, offset);
  auto* const per_row = reinterpret_cast<RowMoments<A>*>(moments.data());
  Workspace<Device> workspace(layer_norm_backward_workspace_bytes<Device, T>(s.rows, s.n));
  layer_norm_forward<Device, T>(s.rows, s.n, 1e-5, x.data(), weight.data(), bias.data(), y.data(),
                                per_row, nullptr);
  layer_norm_backward<Device, T>(s.rows, s.n, x.data(), weight.data(), per_row, dy.data(),
                                 dx.data(), dweight.data(), dbias.data(), workspace.data(),
                                 nullptr);
  return {y.values(), moments.values(), dx.values(), dweight.values(), dbias.values()};
}

constexpr int64_t kIgnored = -100;

template <class Device, class T>
Results cross_entropy(Size s, const std::vector<T>& x_values, int offset) {
  using A = accumulator_t<T>;
  const int64_t size = s.rows * s.n;
  std::vector<int64_t> target_values = random_ids(s.rows, s.n, 2);
  for (std::size_t i = 2; i < target_values.size(); i += 3) target_values[i] = kIgnored;
  Operand<Device, T> x(x_values, offset);
  Operand<Device, int64_t> targets(target_values, offset);
  Operand<Device, A> dy({A(0.75)}, offset);
  auto loss = results<Device, A>(s.rows, offset), log_sum = results<Device, A>(s.rows, offset);
  auto max = results<Device, A>(s.rows, offset);
  auto dx = results<Device, T>(size, offset);
  cross_entropy_forward<Device, T>(s.rows, s.n, kIgnored, x.data(), targets.data(), loss.data(),
                                   max.data(), log_sum.data(), nullptr);
  cross_entropy_backward<Device, T>(s.rows, s.n, kIgnored, 3.0, x.data(), targets.data(),
                                    max.data(), log_sum.data(), dy.data(), dx.data(), nullptr);
  return {loss.values(), max.values(), log_sum.values(), dx.values()};
}

template <class Device, class T>
Results max(Size s, const std::vector<T>& x_values, int offset) {
  const int64_t size = s.rows * s.n;
  Operand<Device, T> x(x_values, offset), dy(random_values<T>(s.rows, 2), offset);
  auto values = results<Device, T>(s.rows, offset), dx = results<Device, T>(size, offset);
  auto indices = results<Device, int64_t>(s.rows, offset);
  max_forward<Device, T>(s.rows, s.n, x.data(), values.data(), indices.data(), nullptr);
  max_backward<Device, T>(s.rows, s.n, indices.data(), dy.data(), dx.data(), nullptr);
  return {values.values(), indices.values(), dx.values()};
}

// Calls f(T()) for all types.
template <class F>
void for_each_type(F f) {
  f(float());
  f(double());
  f(bfloat16());
  f(float16());
}

// Rows with NaN, infinities, nothing but -infinity, and all of one value.
template <class T>
std::vector<T> special_values(Size s) {
  using A = accumulator_t<T>;
  const T inf = T(static_cast<A>(HUGE_VAL)), lowest = T(-static_cast<A>(HUGE_VAL));
  const T nan = T(static_cast<A>(NAN));
  std::vector<T> x = random_values<T>(s.rows * s.n, 1);
  const auto at = [&](int64_t row, int64_t i) -> T& {
    return x[static_cast<std::size_t>(row * s.n + i)];
  };
  for (int64_t row = 0; row < s.rows; ++row) {
    switch (row % 7) {
      case 0:
        at(row, s.n / 2) = nan;
        break;
      case 1:
        at(row, s.n - 1) = inf;
        break;
      case 2:
        at(row, 0) = lowest;
        break;
      case 3:
        for (int64_t i = 0; i < s.n; ++i) at(row, i) = lowest;
        break;
      case 4:
        for (int64_t i = 0; i < s.n; ++i) at(row, i) = i % 5 == 3 ? nan : lowest;
        break;
      case 5:
        for (int64_t i = 0; i < s.n; ++i) at(row, i) = i < s.n / 3 ? lowest : T(A(i % 7));
        break;
      default:
        for (int64_t i = 0; i < s.n; ++i) at(row, i) = T(A(3));
    }
  }
  return x;
}
const std::vector<Size> kSpecialSizes = {{14, 5}, {14, 64}, {7, 700}, {7, 1024}, {7, 20000}};

}  // namespace

TEST_CASE("softmax and its logarithm on a GPU are those on a CPU") {
  if (!gpu_present()) SKIP_TEST("no GPU");
  for_each_type([]<class T>(T) {
    for (const Size s : kSizes) {
      INFO("rows " << s.rows << ", n " << s.n << ", " << sizeof(T) << " bytes");
      compare(16 * unit_roundoff<T>(), [&]<class Device>(Device, int offset) {
        return softmax<Device, T>(s, random_values<T>(s.rows * s.n, 1), offset);
      });
    }
  });
}

TEST_CASE("layer_norm on a GPU is that on a CPU") {
  if (!gpu_present()) SKIP_TEST("no GPU");
  for_each_type([]<class T>(T) {
    for (const Size s : kSizes) {
      if (s.n == 2) continue;  // h is -1 and 1 whatever x is: dx is nothing but rounding errors
      INFO("rows " << s.rows << ", n " << s.n << ", " << sizeof(T) << " bytes");
      compare(64 * unit_roundoff<T>(), [&]<class Device>(Device, int offset) {
        return layer_norm<Device, T>(s, random_values<T>(s.rows * s.n, 1), offset);
      });
    }
  });
}

TEST_CASE("layer_norm on a GPU scales the rows that a CPU scales") {
  if (!gpu_present()) SKIP_TEST("no GPU");
  for_each_type([]<class T>(T) {
    if (std::is_same_v<T, float16>) return;  // its squares are within float's range
    const int far = std::is_same_v<T, double> ? 900 : 100;
    for (const Size s : kSpecialSizes) {
      INFO("rows " << s.rows << ", n " << s.n << ", " << sizeof(T) << " bytes");
      const auto values = [&](auto power_of_row) {
        std::vector<T> x = random_values<T>(s.rows * s.n, 1);
        for (int64_t i = 0; i < s.rows * s.n; ++i) {
          T& v = x[static_cast<std::size_t>(i)];
          v = T(std::ldexp(static_cast<accumulator_t<T>>(v), power_of_row(i / s.n)));
        }
        return x;
      };
      for (const int power : {far, -far}) {
        compare(64 * unit_roundoff<T>(), [&]<class Device>(Device, int offset) {
          return layer_norm<Device, T>(s, values([=](int64_t) { return power; }), offset);
        });
      }
      // Rows of one warp that differ: y and moments, since dx is too small to compare in some.
      const auto mixed = values([=](int64_t row) { return row % 3 == 1 ? far : 0; });
      const Results gpu = layer_norm<Cuda, T>(s, mixed, 0), cpu = layer_norm<Cpu, T>(s, mixed, 0);
      CHECK(difference(gpu[0], cpu[0]) <= 64 * unit_roundoff<T>());
      for (std::size_t i = 0; i < gpu[1].size(); i += 3) CHECK(gpu[1][i] == cpu[1][i]);  // scale
    }
  });
}

TEST_CASE("layer_norm on a GPU keeps the variance of numbers far from zero") {
  if (!gpu_present()) SKIP_TEST("no GPU");
  for (const Size s : {Size{3, 256}, Size{3, 4096}, Size{2, 20000}}) {
    std::vector<float> x = random_values<float>(s.rows * s.n, 1);
    for (float& v : x) v += 100000;
    const Results far = layer_norm<Cuda, float>(s, x, 0);
    for (float& v : x) v -= 100000;
    const Results near = layer_norm<Cuda, float>(s, x, 0);
    for (std::size_t i = 2; i < far[1].size(); i += 3) {  // rstd
      CHECK(std::fabs(far[1][i] / near[1][i] - 1) < 1e-5);
    }
    CHECK(difference(far[0], near[0]) < 5e-3);  // y: the mean is rounded to 1/128
  }
}

TEST_CASE("cross_entropy on a GPU is that on a CPU") {
  if (!gpu_present()) SKIP_TEST("no GPU");
  for_each_type([]<class T>(T) {
    for (const Size s : kSizes) {
      INFO("rows " << s.rows << ", n " << s.n << ", " << sizeof(T) << " bytes");
      compare(16 * unit_roundoff<T>(), [&]<class Device>(Device, int offset) {
        return cross_entropy<Device, T>(s, random_values<T>(s.rows * s.n, 1), offset);
      });
    }
  });
}

TEST_CASE("max on a GPU is that on a CPU") {
  if (!gpu_present()) SKIP_TEST("no GPU");
  for_each_type([]<class T>(T) {
    for (const Size s : kSizes) {
      INFO("rows " << s.rows << ", n " << s.n << ", " << sizeof(T) << " bytes");
      compare(0, [&]<class Device>(Device, int offset) {
        return max<Device, T>(s, random_values<T>(s.rows * s.n, 1), offset);
      });
    }
  });
}

TEST_CASE("NaN and infinities come out of rows on a GPU as on a CPU") {
  if (!gpu_present()) SKIP_TEST("no GPU");
  for_each_type([]<class T>(T) {
    for (const Size s : kSpecialSizes) {
      INFO("rows " << s.rows << ", n " << s.n << ", " << sizeof(T) << " bytes");
      const std::vector<T> x = special_values<T>(s);
      compare(16 * unit_roundoff<T>(),
              [&]<class Device>(Device, int offset) { return softmax<Device, T>(s, x, offset); });
      compare(16 * unit_roundoff<T>(), [&]<class Device>(Device, int offset) {
        return cross_entropy<Device, T>(s, x, offset);
      });
      compare(0, [&]<class Device>(Device, int offset) { return max<Device, T>(s, x, offset); });
    }
  });
}

TEST_CASE("rows beyond 2^31 elements are worked on by a GPU") {
#if defined(CROCUTA_CUDA_EMULATED)
  SKIP_TEST("no GPU: emulating 2^31 elements would take minutes");
#else
  if (!gpu_present()) SKIP_TEST("no GPU");
  constexpr int64_t rows = 65600, n = 32768, last = rows * n - 3;
  std::size_t free = 0, total = 0;
  REQUIRE(cudaMemGetInfo(&free, &total) == cudaSuccess);
  if (free < std::size_t{10} << 30) SKIP_TEST("less than 10 GiB of GPU memory are free");

  DeviceVector<bfloat16> x(static_cast<std::size_t>(rows * n)), y(x.size()), per_row(rows);
  DeviceVector<int64_t> indices(rows);
  const bfloat16 largest = bfloat16(5.0f);
  fill<Cuda, bfloat16>(rows * n, bfloat16(1.0f), x.data(), nullptr);
  REQUIRE(cudaMemcpy(x.data() + last, &largest, 2, cudaMemcpyHostToDevice) == cudaSuccess);

  max_forward<Cuda, bfloat16>(rows, n, x.data(), per_row.data(), indices.data(), nullptr);
  CHECK(static_cast<float>(per_row.to_vector().back()) == 5);
  CHECK(indices.to_vector().back() == n - 3);
  CHECK(indices.to_vector()[rows - 2] == 0);

  Workspace<Cuda> workspace(sum_workspace_bytes<Cuda, bfloat16>(rows, n, 1));
  sum<Cuda, bfloat16>(rows, n, 1, x.data(), per_row.data(), workspace.data(), nullptr);
  CHECK(static_cast<float>(per_row.to_vector().back()) == 32768);  // 32772, rounded

  softmax_forward<Cuda, bfloat16>(rows, n, x.data(), y.data(), nullptr);
  bfloat16 probability;
  REQUIRE(cudaMemcpy(&probability, y.data() + last, 2, cudaMemcpyDeviceToHost) == cudaSuccess);
  const double expected = std::exp(4.0) / (n - 1 + std::exp(4.0));
  CHECK(std::fabs(static_cast<double>(static_cast<float>(probability)) / expected - 1) < 0x1p-8);
#endif
}
