// The emulation runs kernels as a GPU would: barriers, shuffles, shared memory, many threads.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <set>
#include <thread>
#include <vector>

#include "emulation/engine.h"
#include "kernels/cuda/toolbox/launch.h"
#include "kernels/cuda/toolbox/reduce.h"
#include "tests/kernels/device_vector.h"
#include "tests/support/catch.h"

namespace crocuta::test {
namespace {

using kernels::grid_for;
using kernels::launch;
using kernels::LaunchConfig;

LaunchConfig blocks(dim3 grid, dim3 block, std::size_t shared_bytes = 0) {
  return {grid, block, shared_bytes};
}

__global__ void square_kernel(std::int64_t n, float* y, const float* x) {
  for (std::int64_t i = kernels::grid_index(); i < n; i += kernels::grid_stride()) {
    y[i] = x[i] * x[i];
  }
}

__global__ void sum_kernel(std::int64_t n, float* sums, const float* x) {
  float sum = 0;
  for (std::int64_t i = threadIdx.x; i < n; i += blockDim.x) sum += x[blockIdx.x * n + i];
  sum = kernels::block_sum(sum);
  if (threadIdx.x == 0) sums[blockIdx.x] = sum;
}

// Every thread's indices, at its linear number.
__global__ void indices_kernel(int* out) {
  const unsigned block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
  const unsigned threads = blockDim.x * blockDim.y * blockDim.z;
  const unsigned thread = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
  out[block * threads + thread] += static_cast<int>(block * threads + thread);
}

__global__ void shuffle_kernel(int kind, int operand, int width, int* out) {
  const int lane = static_cast<int>(threadIdx.x);
  int value = 100 + lane;
  switch (kind) {
    case 0:
      value = __shfl_sync(0xffffffffu, value, operand, width);
      break;
    case 1:
      value = __shfl_up_sync(0xffffffffu, value, static_cast<unsigned>(operand), width);
      break;
    case 2:
      value = __shfl_down_sync(0xffffffffu, value, static_cast<unsigned>(operand), width);
      break;
    default:
      value = __shfl_xor_sync(0xffffffffu, value, operand, width);
  }
  out[lane] = value;
}

// How many warps were through when a thread began.
__global__ void ahead_kernel(int* through_before) {
  CROCUTA_SHARED(int, through, 1);
  if (threadIdx.x == 0) through[0] = 0;
  __syncthreads();
  through_before[threadIdx.x] = through[0];
  for (int i = 0; i < 10; ++i) __syncwarp();
  if (threadIdx.x % 32 == 0) ++through[0];
}

struct Part {
  std::int64_t a;
  std::int32_t b, c;
};
struct Gapped {
  Part parts[8];
  char letter;
  std::int64_t last;
};
__global__ void gapped_kernel(Gapped gapped, std::int64_t* sum) {
  *sum = gapped.letter + gapped.last;
  for (const Part& part : gapped.parts) *sum += part.a + part.b + part.c;
}

}  // namespace

TEST_CASE("a kernel without barriers gives each element its value") {
  for (const std::int64_t n : {1, 255, 256, 257, 100000}) {
    std::vector<float> x(static_cast<std::size_t>(n));
    std::iota(x.begin(), x.end(), 1.0f);
    const DeviceVector<float> in(x), out(x.size());
    launch("square", square_kernel, grid_for(n), nullptr, n, out.data(), in.data());
    for (float& value : x) value *= value;
    CHECK(out.to_vector() == x);
  }
}

TEST_CASE("a warp may be through before another begins, or all begin before one is through") {
  int most = 0, least = 7;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    emulation::set_seed(seed);
    const DeviceVector<int> before(256);
    launch("ahead", ahead_kernel, blocks(1, 256), nullptr, before.data());
    const std::vector<int> values = before.to_vector();
    const int last = *std::max_element(values.begin(), values.end());
    most = std::max(most, last);
    least = std::min(least, last);
  }
  CHECK(most == 7);
  CHECK(least < 4);
}

TEST_CASE("a struct with gaps reaches the kernel whole") {
  Gapped gapped;
  for (std::int32_t i = 0; i < 8; ++i) gapped.parts[i] = {1 << i, 256 << i, 65536 << i};
  gapped.letter = 'a';
  gapped.last = std::int64_t{1} << 40;
  const DeviceVector<std::int64_t> sum(1);
  launch("gapped", gapped_kernel, LaunchConfig{}, nullptr, gapped, sum.data());
  CHECK(sum.to_vector()[0] == (std::int64_t{1} << 40) + 'a' + 0xffffff);
}

TEST_CASE("a block's sum is right whatever the order of its threads") {
  const std::int64_t rows = 5, n = 1000;
  std::vector<float> x(static_cast<std::size_t>(rows * n));
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i % 17);
  std::vector<float> expected(static_cast<std::size_t>(rows));
  for (std::size_t i = 0; i < x.size(); ++i) expected[i / n] += x[i];
  const DeviceVector<float> in(x), out(expected.size());
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    emulation::set_seed(seed);
    launch("sum", sum_kernel, blocks(rows, 256), nullptr, n, out.data(), in.data());
    CHECK(out.to_vector() == expected);
  }
}

TEST_CASE("blocks and threads have up to three dimensions") {
  const DeviceVector<int> out(std::vector<int>(2 * 3 * 4 * 3 * 5 * 7));
  launch("indices", indices_kernel, blocks(dim3(2, 3, 4), dim3(3, 5, 7)), nullptr, out.data());
  std::vector<int> expected(2 * 3 * 4 * 3 * 5 * 7);
  std::iota(expected.begin(), expected.end(), 0);
  CHECK(out.to_vector() == expected);
}

TEST_CASE("shuffles of every kind, distance and width follow CUDA's definition") {
  const DeviceVector<int> out(32);
  for (int kind = 0; kind < 4; ++kind) {
    for (const int width : {1, 2, 4, 8, 16, 32}) {
      for (int operand = 0; operand < 34; ++operand) {
        launch("shuffle", shuffle_kernel, blocks(1, 32), nullptr, kind, operand, width, out.data());
        std::vector<int> expected(32);
        for (int lane = 0; lane < 32; ++lane) {
          const int group = lane / width * width;
          int source = lane;
          if (kind == 0) source = group + operand % width;
          if (kind == 1 && lane - operand >= group) source = lane - operand;
          if (kind == 2 && lane + operand < group + width) source = lane + operand;
          if (kind == 3 && (lane ^ operand) < group + width) source = lane ^ operand;
          expected[static_cast<std::size_t>(lane)] = 100 + source;
        }
        CAPTURE(kind, width, operand);
        REQUIRE(out.to_vector() == expected);
      }
    }
  }
}

TEST_CASE("several host threads launch at the same time") {
  std::vector<std::thread> threads;
  std::vector<int> right(4);
  for (std::size_t t = 0; t < right.size(); ++t) {
    threads.emplace_back([&right, t] {
      const std::int64_t n = 3000;
      const DeviceVector<float> in(std::vector<float>(static_cast<std::size_t>(n * 4), 1.0f));
      const DeviceVector<float> out(4);
      for (int repeat = 0; repeat < 20; ++repeat) {
        launch("sum", sum_kernel, blocks(4, 128), nullptr, n, out.data(), in.data());
        right[t] += out.to_vector() == std::vector<float>(4, 3000.0f);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(right == std::vector<int>(4, 20));
}

}  // namespace crocuta::test
