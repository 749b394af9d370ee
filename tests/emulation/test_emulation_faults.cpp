// What kernels may not do on a GPU, and what the emulation says when they do.
#include <cstdint>
#include <string>
#include <vector>

#include "emulation/asan.h"
#include "emulation/engine.h"
#include "kernels/cuda/toolbox/reduce.h"
#include "kernels/cuda/toolbox/vector.h"
#include "tests/emulation/emulation_faults.h"
#include "tests/kernels/device_vector.h"
#include "tests/support/catch.h"

namespace crocuta::test {
namespace {

using kernels::launch;
using kernels::LaunchConfig;

constexpr unsigned kAll = 0xffffffffu;

// Launches with one int* argument, 64 elements, and returns the message.
std::string fault_of(void (*kernel)(int*), dim3 grid, dim3 block, std::size_t shared_bytes = 0) {
  const DeviceVector<int> y(64);
  return error_of([&] {
    launch("test", kernel, LaunchConfig{grid, block, shared_bytes}, nullptr, y.data());
  });
}

__global__ void nothing_kernel(int*) {}

__global__ void return_before_barrier_kernel(int* y) {
  if (threadIdx.x == 7) return;
  __syncthreads();
  y[threadIdx.x] = 1;
}
__global__ void two_barriers_kernel(int* y) {
  if (threadIdx.x < 3) {
    __syncthreads();
  } else {
    __syncthreads();
  }
  y[threadIdx.x] = 1;
}
__global__ void missing_lane_kernel(int* y) {
  if (threadIdx.x == 9) return;
  y[threadIdx.x] = __shfl_xor_sync(kAll, y[threadIdx.x], 1);
}
__global__ void lane_outside_mask_kernel(int* y) {
  if (threadIdx.x < 16) y[threadIdx.x] = __shfl_down_sync(0x0000ffffu, y[threadIdx.x], 1);
}
__global__ void own_lane_left_out_kernel(int* y) {
  y[threadIdx.x] = __shfl_sync(0xfffffffeu, y[threadIdx.x], 1);
}
__global__ void masks_differ_kernel(int* y) {
  y[threadIdx.x] = __shfl_sync(threadIdx.x < 16 ? kAll : 0xffff0000u, y[threadIdx.x], 20);
}
__global__ void width_kernel(int* y) {
  y[threadIdx.x] = __shfl_sync(kAll, y[threadIdx.x], 0, 12);
}
__global__ void full_mask_kernel(int* y) {
  y[threadIdx.x] = __shfl_sync(kAll, y[threadIdx.x], 0);
}
__global__ void deadlock_kernel(int* y) {
  if (threadIdx.x < 16) {
    __syncthreads();
  } else {
    y[threadIdx.x] = __shfl_sync(kAll, y[threadIdx.x], 0);
  }
}
__global__ void half_warp_kernel(int* y) {
  if (threadIdx.x < 16) y[threadIdx.x] = __shfl_sync(0x0000ffffu, static_cast<int>(threadIdx.x), 3);
}
__global__ void vector_kernel(int* y) {
  kernels::store_vector<4>(y + 1, kernels::Vector<int, 4>{});
}
__global__ void shared_40k_kernel(int* y) {
  CROCUTA_SHARED(int, large, 10240);
  large[0] = 1;
  y[0] = large[0];
}
__global__ void shared_40k_twice_kernel(int* y) {
  CROCUTA_SHARED(int, one, 10240);
  CROCUTA_SHARED(int, two, 10240);
  one[0] = two[0] = 1;
  y[0] = one[0] + two[0];
}
__global__ void dynamic_kernel(int* y) {
  CROCUTA_DYNAMIC_SHARED(int, words);
  words[gridDim.x] = 1;
  y[0] = words[gridDim.x];
}
__global__ void shared_overflow_kernel(int* y) {
  CROCUTA_SHARED(int, small, 8);
  int* p = small;
  p[threadIdx.x] = static_cast<int>(threadIdx.x);
  __syncthreads();
  y[threadIdx.x] = p[threadIdx.x];
}
__global__ void write_at_kernel(int* y, int i) {
  y[i] = 1;
}
struct Body {
  int i;
  int* y;
  bool flag;
};
__global__ void write_body_kernel(Body body) {
  body.y[body.i] = 1;
}
struct Numbers {
  int low, high;
  int* y;
};
__global__ void write_sum_kernel(Numbers numbers) {
  *numbers.y = numbers.low + numbers.high;
}
__global__ void read_at_kernel(float* y, const float* x, int i) {
  y[0] = x[i];
}

}  // namespace

TEST_CASE("a thread that returns while others wait at a barrier is a fault") {
  for (std::uint64_t seed = 0; seed < 5; ++seed) {
    emulation::set_seed(seed);
    const std::string text = fault_of(return_before_barrier_kernel, 1, 32);
    CHECK_THAT(text, ContainsSubstring("(cudaErrorLaunchFailure)"));
    CHECK_THAT(text, ContainsSubstring("kernel 'test', block (0,0,0), thread ("));
    CHECK((text.find("thread (7,0,0): returns from the kernel while thread (") != text.npos ||
           text.find("for threads that have returned from the kernel") != text.npos));
    CHECK_THAT(text, ContainsSubstring("test_emulation_faults.cpp:"));
  }
}

TEST_CASE("threads of a block that wait at different barriers are a fault") {
  const std::string text = fault_of(two_barriers_kernel, 1, 32);
  CHECK_THAT(text, ContainsSubstring("waits at the barrier at "));
  CHECK_THAT(text, ContainsSubstring("waits at that at "));
}

TEST_CASE("a shuffle whose lanes are not all there is a fault") {
  const std::string gone = fault_of(missing_lane_kernel, 1, 32);
  CHECK((gone.find("waits for lane 9, which has returned") != gone.npos ||
         gone.find("thread (9,0,0): returns from the kernel while lane") != gone.npos));
  CHECK_THAT(fault_of(full_mask_kernel, 1, 48),
             ContainsSubstring("names lane 16 of a warp that has 16 lanes"));
  CHECK_THAT(fault_of(own_lane_left_out_kernel, 1, 32),
             ContainsSubstring("with mask 0xfffffffe leaves out the lane that calls it"));
}

TEST_CASE(
    "lanes that shuffle with different masks are a fault, in words that depend on the order") {
  int meetings = 0;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    emulation::set_seed(seed);
    const std::string text = fault_of(masks_differ_kernel, 1, 32);
    CHECK(!text.empty());
    if (text.find("meets lane ") != text.npos) ++meetings;
  }
  CHECK(meetings > 0);
}

TEST_CASE("a shuffle that reads a lane outside its mask is a fault") {
  CHECK_THAT(fault_of(lane_outside_mask_kernel, 1, 32),
             ContainsSubstring("thread (15,0,0): the shuffle at "));
  CHECK_THAT(fault_of(lane_outside_mask_kernel, 1, 32),
             ContainsSubstring("reads lane 16, which its mask 0x0000ffff leaves out"));
}

TEST_CASE("a shuffle's width is a power of two") {
  CHECK_THAT(fault_of(width_kernel, 1, 32), ContainsSubstring("has a width of 12"));
}

TEST_CASE("threads that wait for each other forever are a fault") {
  const std::string text = fault_of(deadlock_kernel, 1, 32);
  CHECK_THAT(text, ContainsSubstring("waits forever at "));
  CHECK_THAT(text, ContainsSubstring("for lanes 0x0000ffff of its warp, while thread ("));
}

TEST_CASE("half a warp may shuffle by itself") {
  CHECK(fault_of(half_warp_kernel, 2, 64).empty());
}

TEST_CASE("a misaligned vector is a fault") {
  const std::string text = fault_of(vector_kernel, 1, 1);
  CHECK_THAT(text, ContainsSubstring("(cudaErrorMisalignedAddress)"));
  CHECK_THAT(text, ContainsSubstring("accesses 16 bytes at once at 0x"));
}

TEST_CASE("grids and blocks have the limits of CUDA") {
  CHECK(fault_of(nothing_kernel, dim3(1, 65535), 1024).empty());
  CHECK(fault_of(nothing_kernel, 1, dim3(4, 4, 64)).empty());
  const std::string invalid = "(cudaErrorInvalidConfiguration)";
  CHECK_THAT(fault_of(nothing_kernel, dim3(1, 65536), 1), ContainsSubstring(invalid));
  CHECK_THAT(fault_of(nothing_kernel, dim3(1, 1, 65536), 1), ContainsSubstring(invalid));
  CHECK_THAT(fault_of(nothing_kernel, dim3(2147483648u), 1), ContainsSubstring(invalid));
  CHECK_THAT(fault_of(nothing_kernel, 1, 1025), ContainsSubstring(invalid));
  CHECK_THAT(fault_of(nothing_kernel, 1, dim3(32, 33)), ContainsSubstring(invalid));
  CHECK_THAT(fault_of(nothing_kernel, 1, dim3(1, 1, 65)), ContainsSubstring(invalid));
  CHECK_THAT(fault_of(nothing_kernel, 1, 0), ContainsSubstring(invalid));
  CHECK_THAT(fault_of(nothing_kernel, dim3(1, 65536), 1),
             ContainsSubstring("a grid of (1,65536,1) blocks"));
}

TEST_CASE("shared memory above 48 KiB must be allowed, and 227 KiB is the end") {
  CHECK(fault_of(shared_40k_kernel, 1, 1).empty());
  CHECK_THAT(fault_of(shared_40k_twice_kernel, 1, 1),
             ContainsSubstring("needs 81920 bytes of shared memory"));
  CHECK(fault_of(dynamic_kernel, 1, 1, 49152).empty());
  CHECK_THAT(fault_of(dynamic_kernel, 1, 1, 49153),
             ContainsSubstring("49153 bytes of dynamic shared memory, allowed are 49152"));
  kernels::allow_shared_memory("test", dynamic_kernel, 232448);
  CHECK(fault_of(dynamic_kernel, 1, 1, 232448).empty());
  CHECK_THAT(error_of([] { kernels::allow_shared_memory("test", dynamic_kernel, 232449); }),
             ContainsSubstring("at most 232448 can be allowed"));
}

TEST_CASE("a write past the end of shared memory is noticed") {
  const auto overflow = [] {
    CHECK_THAT(fault_of(shared_overflow_kernel, 1, 9),
               ContainsSubstring("shared array 'small' of 32 bytes ("));
  };
  const auto dynamic = [] {
    CHECK_THAT(fault_of(dynamic_kernel, 1, 1, 4), ContainsSubstring("dynamic shared memory"));
  };
  CHECK(fault_of(shared_overflow_kernel, 1, 8).empty());
  if (emulation::kAddressSanitizer) {
    CHECK(end_of_child(overflow) == 1);
    CHECK(end_of_child(dynamic) == 1);
  } else {
    overflow();
    dynamic();
  }
}

TEST_CASE("a pointer to host memory is not an argument for a kernel, but one to pinned memory is") {
  std::vector<int> host(8);
  int* pinned = nullptr;
  REQUIRE(cudaMallocHost(&pinned, 8 * sizeof(int)) == cudaSuccess);
  const auto write = [](int* y, int i) {
    return error_of([&] { launch("test", write_at_kernel, LaunchConfig{}, nullptr, y, i); });
  };
  CHECK_THAT(write(host.data(), 0), ContainsSubstring("points to host memory"));
  CHECK(write(pinned, 7).empty());
  CHECK(pinned[7] == 1);
  REQUIRE(cudaFreeHost(pinned) == cudaSuccess);

  int* freed = nullptr;
  {
    const DeviceVector<int> y(8);
    freed = y.data();
  }
  CHECK_THAT(write(freed, 0), ContainsSubstring("device memory that is in no block in use"));
}

TEST_CASE("pointers in a struct are looked at like others") {
  std::vector<int> host(8);
  const DeviceVector<int> y(8);
  const auto write = [](int* y, int i) {
    return error_of([&] {
      launch("test", write_body_kernel, LaunchConfig{}, nullptr, Body{i, y, true});
    });
  };
  CHECK(write(y.data(), 7).empty());
  CHECK_THAT(write(host.data(), 0), ContainsSubstring("points to host memory"));
  if (!emulation::kAddressSanitizer) {
    int* block = nullptr;
    REQUIRE(cudaMalloc(&block, 8 * sizeof(int)) == cudaSuccess);
    CHECK_THAT(write(block, 8), ContainsSubstring("past the end of a block of 32 bytes"));
    CHECK(cudaFree(block) == cudaErrorIllegalAddress);
    cudaGetLastError();
  }
}

TEST_CASE("two numbers in a struct are not taken for a pointer") {
  const DeviceVector<int> y(1);
  for (const int high : {1, 4, 32, 1000}) {
    CHECK(error_of([&] {
            launch("test", write_sum_kernel, LaunchConfig{}, nullptr, Numbers{24, high, y.data()});
          }).empty());
    CHECK(y.to_vector()[0] == 24 + high);
  }
}

TEST_CASE("a launch on a stream that is gone is an error") {
  cudaStream_t stream = nullptr;
  REQUIRE(cudaStreamCreate(&stream) == cudaSuccess);
  const DeviceVector<int> y(64);
  const auto run = [&] {
    return error_of([&] { launch("test", nothing_kernel, LaunchConfig{}, stream, y.data()); });
  };
  CHECK(run().empty());
  REQUIRE(cudaStreamDestroy(stream) == cudaSuccess);
  CHECK_THAT(run(), ContainsSubstring("(cudaErrorInvalidResourceHandle)"));
}

TEST_CASE("a write outside a block of device memory is noticed") {
  for (const int i : {8, -1}) {
    const auto write = [i] {
      const DeviceVector<int> y(8);
      CHECK_THAT(
          error_of([&] { launch("test", write_at_kernel, LaunchConfig{}, nullptr, y.data(), i); }),
          ContainsSubstring(i < 0 ? "something wrote before the start of a block of 32 bytes"
                                  : "something wrote past the end of a block of 32 bytes"));
      cudaGetLastError();
      CHECK(cudaDeviceSynchronize() == cudaErrorIllegalAddress);
    };
    if (emulation::kAddressSanitizer) {
      CHECK(end_of_child(write) == 1);
    } else {
      write();
      cudaGetLastError();
    }
  }
}

TEST_CASE("a read past the end of a block is noticed or gives NaN") {
  const auto read = [] {
    const DeviceVector<float> x(std::vector<float>(7, 1.0f)), y(1);
    launch("test", read_at_kernel, LaunchConfig{}, nullptr, y.data(), x.data(), 7);
    const float value = y.to_vector()[0];
    CHECK(value != value);
  };
  if (emulation::kAddressSanitizer) {
    CHECK(end_of_child(read) == 1);
  } else {
    read();
  }
}

TEST_CASE("after a fault the next kernel runs as if nothing had been") {
  for (int repeat = 0; repeat < 3; ++repeat) {
    CHECK(!fault_of(deadlock_kernel, 3, 64).empty());
    CHECK(fault_of(half_warp_kernel, 3, 64).empty());
  }
}

}  // namespace crocuta::test
