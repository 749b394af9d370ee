// Sums on the GPU.
#include "kernels/cross_entropy.h"
#include "kernels/reduce.h"
#include "tests/kernels/cuda_comparison.h"

using namespace crocuta;
using namespace crocuta::kernels;
using namespace crocuta::test;
using std::int64_t;

namespace {

struct Size {
  int64_t outer, n, inner;
};
// Rows, columns, few and many of each; sums that one block takes and that many share.
const std::vector<Size> kSizes = {
    {0, 4, 4},      {4, 0, 4},     {4, 4, 0},     {3, 0, 1},     {1, 1, 1},     {1, 3, 1},
    {1, 31, 1},     {1, 32, 1},    {1, 33, 1},    {5, 255, 1},   {5, 256, 1},   {5, 257, 1},
    {2, 1023, 1},   {2, 1024, 1},  {2, 1025, 1},  {1, 65537, 1}, {1, 65536, 1}, {1, 100003, 1},
    {3, 40000, 1},  {65537, 2, 1}, {65537, 1, 1}, {700, 9, 1},   {1, 300, 2},   {1, 7001, 3},
    {4, 50, 7},     {2, 17, 31},   {2, 17, 32},   {2, 17, 33},   {1, 600, 64},  {1, 5000, 128},
    {1, 5000, 130}, {1, 33, 255},  {1, 33, 256},  {1, 33, 257},  {1, 4, 65537}, {3, 5, 1000},
    {300, 3, 8},    {65537, 2, 2}, {2, 3000, 16}, {7, 1, 9}};

template <class Device, class T>
Results sum_of(Size s, int offset) {
  Operand<Device, T> x(random_values<T>(s.outer * s.n * s.inner, 1), offset);
  auto y = results<Device, T>(s.outer * s.inner, offset);
  Workspace<Device> workspace(sum_workspace_bytes<Device, T>(s.outer, s.n, s.inner));
  sum<Device, T>(s.outer, s.n, s.inner, x.data(), y.data(), workspace.data(), nullptr);
  return {y.values()};
}

template <class Device, class T>
Results squares_of(int64_t n, int offset) {
  Operand<Device, T> x(random_values<T>(n, 1), offset);
  auto y = results<Device, double>(1, offset);
  Workspace<Device> workspace(sum_of_squares_workspace_bytes<Device, T>(n));
  sum_of_squares<Device, T>(n, x.data(), y.data(), workspace.data(), nullptr);
  return {y.values()};
}

template <class Device, class A>
Results scaled_sum_of(int64_t n, int offset) {
  Operand<Device, A> x(random_values<A>(n, 1), offset);
  auto y = results<Device, A>(1, offset);
  Workspace<Device> workspace(scaled_sum_workspace_bytes<Device, A>(n));
  scaled_sum<Device, A>(n, 0.3, x.data(), y.data(), workspace.data(), nullptr);
  return {y.values()};
}

const std::vector<int64_t> kLengths = {0,   1,    2,    31,   32,    33,    255,   256,
                                       257, 1023, 1024, 1025, 10007, 65537, 65536, 200000};

template <class F>
void for_each_type(F f) {
  f(float());
  f(double());
  f(bfloat16());
  f(float16());
}

}  // namespace

TEST_CASE("sums on a GPU are those on a CPU") {
  if (!gpu_present()) SKIP_TEST("no GPU");
  // The terms are multiples of 1/64: their sums are exact but for the last rounding.
  const auto check = []<class T>(T) {
    for (const Size s : kSizes) {
      INFO("outer " << s.outer << ", n " << s.n << ", inner " << s.inner << ", " << sizeof(T)
                    << " bytes");
      compare(0, [&]<class Device>(Device, int offset) { return sum_of<Device, T>(s, offset); });
    }
  };
  for_each_type(check);
  check(int64_t());
}

TEST_CASE("sums of squares on a GPU are those on a CPU") {
  if (!gpu_present()) SKIP_TEST("no GPU");
  for_each_type([]<class T>(T) {
    for (const int64_t n : kLengths) {
      INFO("n " << n << ", " << sizeof(T) << " bytes");
      compare(0,
              [&]<class Device>(Device, int offset) { return squares_of<Device, T>(n, offset); });
    }
  });
}

TEST_CASE("scaled sums on a GPU are those on a CPU") {
  if (!gpu_present()) SKIP_TEST("no GPU");
  const auto check = []<class A>(A) {
    for (const int64_t n : kLengths) {
      INFO("n " << n << ", " << sizeof(A) << " bytes");
      compare(
          0, [&]<class Device>(Device, int offset) { return scaled_sum_of<Device, A>(n, offset); });
    }
  };
  check(float());
  check(double());
}

TEST_CASE("a long sum of float32 on a GPU is exact within a rounding") {
  if (!gpu_present()) SKIP_TEST("no GPU");
  std::vector<float> values(1 << 20);
  double exact = 0, magnitude = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<float>(std::sin(static_cast<double>(i))) + 1;
    exact += static_cast<double>(values[i]);
    magnitude += std::fabs(static_cast<double>(values[i]));
  }
  const auto n = static_cast<int64_t>(values.size());
  for (const Size s : {Size{1, n, 1}, Size{1, n / 4, 4}}) {
    OnDevice<Cuda, float> x(values), y(std::vector<float>(static_cast<std::size_t>(s.inner)));
    Workspace<Cuda> workspace(sum_workspace_bytes<Cuda, float>(1, s.n, s.inner));
    sum<Cuda, float>(1, s.n, s.inner, x.data(), y.data(), workspace.data(), nullptr);
    double total = 0;
    for (const float v : y.values()) total += static_cast<double>(v);
    CHECK(std::fabs(total - exact) <= 3 * 0x1p-24 * magnitude);
  }
}

TEST_CASE("NaN and infinities come out of sums on a GPU") {
  if (!gpu_present()) SKIP_TEST("no GPU");
  std::vector<float> values(1000, 1);
  values[500] = HUGE_VALF;
  const auto total = [&] {
    OnDevice<Cuda, float> x(values), y(std::vector<float>(1));
    Workspace<Cuda> workspace(sum_workspace_bytes<Cuda, float>(1, 1000, 1));
    sum<Cuda, float>(1, 1000, 1, x.data(), y.data(), workspace.data(), nullptr);
    return y.values()[0];
  };
  CHECK(total() == HUGE_VALF);
  values[900] = -HUGE_VALF;
  CHECK(std::isnan(total()));
}
