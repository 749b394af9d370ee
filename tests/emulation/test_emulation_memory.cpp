// The emulated runtime: memory that host code cannot touch, copies that are checked, streams and
// events, calls made to fail.
#include <unistd.h>

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "emulation/calls.h"
#include "emulation/memory.h"
#include "tests/emulation/emulation_faults.h"
#include "tests/kernels/device_vector.h"
#include "tests/support/catch.h"

namespace crocuta::test {
namespace {

using kernels::launch;
using kernels::LaunchConfig;

__global__ void increment_kernel(int* y) {
  ++y[threadIdx.x];
}

std::string last_error_text() {
  return cudaGetErrorString(cudaGetLastError());
}

// The end of this program run again for one test case, with `name` set to `value`.
int end_of_program(const char* test_case, const char* name, const char* value) {
  return end_of_child([&] {
    setenv(name, value, 1);
    unsetenv("CROCUTA_TEST_DEVICE");
    std::freopen("/dev/null", "w", stdout);
    execl("/proc/self/exe", "test", test_case, static_cast<char*>(nullptr));
  });
}

}  // namespace

TEST_CASE("fresh memory is full of NaN") {
  const DeviceVector<float> x(1000);
  for (const float value : x.to_vector()) REQUIRE(std::isnan(value));
  double* pinned = nullptr;
  REQUIRE(cudaHostAlloc(&pinned, 10 * sizeof(double), cudaHostAllocPortable) == cudaSuccess);
  for (int i = 0; i < 10; ++i) CHECK(std::isnan(pinned[i]));
  CHECK(cudaFreeHost(pinned) == cudaSuccess);
}

TEST_CASE("host code that touches device memory dies by a segmentation fault") {
  const DeviceVector<float> x(std::vector<float>(10, 1.0f));
  volatile float* data = x.data();
  CHECK(end_of_child([&] { static_cast<void>(data[0]); }) == SIGSEGV);
  CHECK(end_of_child([&] { data[9] = 1; }) == SIGSEGV);
  CHECK(end_of_child([&] {
          const emulation::DeviceAccess access;
          data[9] = data[0] + 1;
        }) == 0);
}

TEST_CASE("a read of device memory by host code", "[.]") {
  const DeviceVector<float> x(std::vector<float>(10, 1.0f));
  const volatile float* data = x.data();
  CHECK(data[0] == 1.0f);
}
TEST_CASE("the guard can be switched off from outside") {
  const char* test_case = "a read of device memory by host code";
  CHECK(end_of_program(test_case, "CROCUTA_EMULATION_GUARD", "0") == 0);
  CHECK(end_of_program(test_case, "CROCUTA_EMULATION_GUARD", "1") != 0);
}

TEST_CASE("copies go where their kind says, and nowhere else") {
  std::vector<float> host(8, 2.0f);
  const DeviceVector<float> a(8), b(8);
  const std::size_t bytes = 8 * sizeof(float);
  REQUIRE(cudaMemcpy(a.data(), host.data(), bytes, cudaMemcpyHostToDevice) == cudaSuccess);
  REQUIRE(cudaMemcpyAsync(b.data(), a.data(), bytes, cudaMemcpyDeviceToDevice) == cudaSuccess);
  host.assign(8, 0.0f);
  REQUIRE(cudaMemcpy(host.data(), b.data(), bytes, cudaMemcpyDefault) == cudaSuccess);
  CHECK(host == std::vector<float>(8, 2.0f));
  REQUIRE(cudaMemsetAsync(a.data(), 0, 4) == cudaSuccess);
  CHECK(a.to_vector()[0] == 0.0f);
  CHECK(a.to_vector()[1] == 2.0f);

  CHECK(cudaMemcpy(host.data(), a.data(), bytes, cudaMemcpyHostToDevice) == cudaErrorInvalidValue);
  CHECK_THAT(last_error_text(), ContainsSubstring("is not device memory"));
  CHECK(cudaMemcpy(host.data(), a.data(), bytes, cudaMemcpyHostToHost) == cudaErrorInvalidValue);
  CHECK_THAT(last_error_text(), ContainsSubstring("source 0x"));
  CHECK_THAT(last_error_text(), !ContainsSubstring("is not device memory"));
  CHECK(cudaMemcpy(a.data() + 1, host.data(), bytes, cudaMemcpyHostToDevice) ==
        cudaErrorInvalidValue);
  CHECK_THAT(last_error_text(), ContainsSubstring("32 bytes do not fit into the block there, of "
                                                  "which 28 bytes are left"));
  CHECK(cudaMemset(host.data(), 0, bytes) == cudaErrorInvalidValue);
  CHECK(cudaMemcpy(a.data(), b.data(), bytes, static_cast<cudaMemcpyKind>(7)) ==
        cudaErrorInvalidMemcpyDirection);
  CHECK(cudaMemcpy(nullptr, nullptr, 0, cudaMemcpyHostToDevice) == cudaSuccess);
  cudaGetLastError();
}

TEST_CASE("a device has so much memory and no more") {
  std::size_t free = 0, total = 0;
  REQUIRE(cudaMemGetInfo(&free, &total) == cudaSuccess);
  CHECK(total == emulation::device_memory_bytes());
  const std::size_t before = free;
  void* block = nullptr;
  CHECK(cudaMalloc(&block, free + 1) == cudaErrorMemoryAllocation);
  CHECK(cudaGetLastError() == cudaErrorMemoryAllocation);
  CHECK(cudaMalloc(&block, SIZE_MAX) == cudaErrorInvalidValue);  // more than there could be
  CHECK(cudaGetLastError() == cudaErrorInvalidValue);
  REQUIRE(cudaMalloc(&block, 1 << 20) == cudaSuccess);
  CHECK(cudaMemGetInfo(&free, &total) == cudaSuccess);
  CHECK(free == before - (1 << 20));
  CHECK(cudaFree(block) == cudaSuccess);
  CHECK(cudaMemGetInfo(&free, &total) == cudaSuccess);
  CHECK(free == before);
  CHECK(cudaMalloc(&block, 0) == cudaSuccess);
  CHECK(block == nullptr);
  CHECK(cudaFree(nullptr) == cudaSuccess);
}

TEST_CASE("memory of 1000 bytes", "[.]") {
  void* block = nullptr;
  CHECK(cudaMalloc(&block, 1001) == cudaErrorMemoryAllocation);
  REQUIRE(cudaMalloc(&block, 1000) == cudaSuccess);
  CHECK(cudaFree(block) == cudaSuccess);
}
TEST_CASE("how much memory a device has can be said from outside") {
  CHECK(end_of_program("memory of 1000 bytes", "CROCUTA_EMULATED_MEMORY", "1000") == 0);
  CHECK(end_of_program("memory of 1000 bytes", "CROCUTA_EMULATED_MEMORY", "2000") == 1);
}

TEST_CASE("blocks are found again whatever the order they come and go in") {
  std::vector<void*> blocks(200);
  std::uint32_t state = 1;
  for (int step = 0; step < 2000; ++step) {
    state = state * 1664525 + 1013904223;
    void*& block = blocks[(state >> 16) % 200];
    if (block != nullptr) {
      REQUIRE(cudaFree(block) == cudaSuccess);
      block = nullptr;
    } else {
      REQUIRE(cudaMalloc(&block, state % 50000 + 1) == cudaSuccess);
      CHECK(reinterpret_cast<std::uintptr_t>(block) % 256 == 0);
      REQUIRE(cudaMemset(block, 1, state % 50000 + 1) == cudaSuccess);
    }
  }
  for (void* block : blocks) REQUIRE(cudaFree(block) == cudaSuccess);
  CHECK(cudaDeviceSynchronize() == cudaSuccess);
}

TEST_CASE("freeing twice, or what was not allocated, is an error") {
  int* block = nullptr;
  REQUIRE(cudaMalloc(&block, 4) == cudaSuccess);
  CHECK(cudaFree(block + 1) == cudaErrorInvalidValue);
  REQUIRE(cudaFree(block) == cudaSuccess);
  CHECK(cudaFree(block) == cudaErrorInvalidValue);
  CHECK_THAT(last_error_text(), ContainsSubstring("is not the start of a block that is in use"));
  int on_host = 0;
  CHECK(cudaFree(&on_host) == cudaErrorInvalidValue);
  CHECK(cudaFreeHost(&on_host) == cudaErrorInvalidValue);
  cudaGetLastError();
}

TEST_CASE("a pointer's attributes say where it points") {
  const DeviceVector<int> x(4);
  int* pinned = nullptr;
  REQUIRE(cudaMallocHost(&pinned, 4) == cudaSuccess);
  int on_host = 0;
  cudaPointerAttributes attributes = {};
  REQUIRE(cudaPointerGetAttributes(&attributes, x.data() + 3) == cudaSuccess);
  CHECK(attributes.type == cudaMemoryTypeDevice);
  CHECK(attributes.device == 0);
  REQUIRE(cudaPointerGetAttributes(&attributes, pinned) == cudaSuccess);
  CHECK(attributes.type == cudaMemoryTypeHost);
  REQUIRE(cudaPointerGetAttributes(&attributes, &on_host) == cudaSuccess);
  CHECK(attributes.type == cudaMemoryTypeUnregistered);
  CHECK(cudaFreeHost(pinned) == cudaSuccess);
}

TEST_CASE("streams and events are checked, and events take time") {
  cudaStream_t stream = nullptr;
  cudaEvent_t start = nullptr, stop = nullptr, untimed = nullptr;
  REQUIRE(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking) == cudaSuccess);
  REQUIRE(cudaEventCreate(&start) == cudaSuccess);
  REQUIRE(cudaEventCreate(&stop) == cudaSuccess);
  REQUIRE(cudaEventCreateWithFlags(&untimed, cudaEventDisableTiming) == cudaSuccess);
  CHECK(cudaEventRecord(start, stream) == cudaSuccess);
  usleep(2000);
  CHECK(cudaEventRecord(stop, stream) == cudaSuccess);
  CHECK(cudaEventRecord(untimed, stream) == cudaSuccess);
  CHECK(cudaStreamWaitEvent(stream, stop) == cudaSuccess);
  CHECK(cudaEventSynchronize(stop) == cudaSuccess);
  CHECK(cudaEventQuery(stop) == cudaSuccess);
  float milliseconds = 0;
  CHECK(cudaEventElapsedTime(&milliseconds, start, stop) == cudaSuccess);
  CHECK(milliseconds >= 2.0f);
  CHECK(cudaEventElapsedTime(&milliseconds, start, untimed) == cudaErrorInvalidResourceHandle);
  CHECK(cudaStreamSynchronize(stream) == cudaSuccess);
  CHECK(cudaStreamQuery(stream) == cudaSuccess);
  CHECK(cudaStreamDestroy(stream) == cudaSuccess);
  CHECK(cudaStreamSynchronize(stream) == cudaErrorInvalidResourceHandle);
  CHECK(cudaEventRecord(start, stream) == cudaErrorInvalidResourceHandle);
  for (cudaEvent_t event : {start, stop, untimed}) CHECK(cudaEventDestroy(event) == cudaSuccess);
  CHECK(cudaEventRecord(start) == cudaErrorInvalidResourceHandle);
  cudaGetLastError();
}

TEST_CASE("the n-th call of a function fails on request, once") {
  void* block = nullptr;
  emulation::fail_call("cudaMalloc", 2);
  REQUIRE(cudaMalloc(&block, 16) == cudaSuccess);
  CHECK(cudaFree(block) == cudaSuccess);
  CHECK(cudaMalloc(&block, 16) == cudaErrorMemoryAllocation);
  CHECK_THAT(last_error_text(), ContainsSubstring("out of memory: cudaMalloc was made to fail"));
  REQUIRE(cudaMalloc(&block, 16) == cudaSuccess);
  CHECK(cudaFree(block) == cudaSuccess);

  const DeviceVector<int> y(std::vector<int>(1));
  const auto increment = [&] {
    launch("increment", increment_kernel, LaunchConfig{}, nullptr, y.data());
  };
  emulation::fail_call("increment", 2);
  increment();
  CHECK_THAT(error_of(increment), ContainsSubstring("kernel 'increment' was made to fail"));
  increment();
  CHECK(y.to_vector()[0] == 2);
  emulation::fail_call("cudaStreamCreate", 1);
  CHECK(emulation::fail_call("cudaStreamCreate", 0));
  CHECK(!emulation::fail_call("cudaStreamCreate", 0));
  cudaStream_t stream = nullptr;
  CHECK(cudaStreamCreate(&stream) == cudaSuccess);
  CHECK(cudaStreamDestroy(stream) == cudaSuccess);
}

TEST_CASE("of all calls the n-th can be made to fail") {
  int device = 0;
  void* block = nullptr;
  emulation::fail_call("any", 3);
  CHECK(cudaGetDevice(&device) == cudaSuccess);
  REQUIRE(cudaMalloc(&block, 16) == cudaSuccess);
  CHECK(cudaMemset(block, 0, 16) == cudaErrorInvalidValue);
  CHECK_THAT(last_error_text(), ContainsSubstring("cudaMemset was made to fail"));
  CHECK(cudaMemset(block, 0, 16) == cudaSuccess);
  CHECK(cudaFree(block) == cudaSuccess);
}

TEST_CASE("work on another stream than the one expected is an error") {
  const DeviceVector<int> y(std::vector<int>(1));
  cudaStream_t stream = nullptr;
  REQUIRE(cudaStreamCreate(&stream) == cudaSuccess);
  const auto increment_on = [&](cudaStream_t queue) {
    return error_of(
        [&] { launch("increment", increment_kernel, LaunchConfig{}, queue, y.data()); });
  };
  emulation::expect_stream(stream);
  CHECK(increment_on(stream).empty());
  CHECK_THAT(increment_on(nullptr), ContainsSubstring("work is queued on the default stream"));
  CHECK(cudaMemsetAsync(y.data(), 0, 4, nullptr) == cudaErrorInvalidResourceHandle);
  cudaGetLastError();
  CHECK(cudaMemsetAsync(y.data(), 0, 4, stream) == cudaSuccess);
  emulation::expect_stream(nullptr);
  CHECK(increment_on(nullptr).empty());
  CHECK(y.to_vector()[0] == 1);
  CHECK(cudaStreamDestroy(stream) == cudaSuccess);
}

TEST_CASE("the second allocation fails and so does the first launch", "[.]") {
  void *one = nullptr, *two = nullptr;
  CHECK(cudaMalloc(&one, 16) == cudaSuccess);
  CHECK(cudaMalloc(&two, 16) == cudaErrorMemoryAllocation);
  cudaGetLastError();
  const auto increment = [&] {
    launch("increment", increment_kernel, LaunchConfig{}, nullptr, static_cast<int*>(one));
  };
  CHECK(!error_of(increment).empty());
  CHECK(error_of(increment).empty());
  CHECK(cudaFree(one) == cudaSuccess);
}
TEST_CASE("calls can be made to fail from outside") {
  const char* test_case = "the second allocation fails and so does the first launch";
  CHECK(end_of_program(test_case, "CROCUTA_EMULATION_FAIL", "cudaMalloc:2,increment:1") == 0);
  CHECK(end_of_program(test_case, "CROCUTA_EMULATION_FAIL", "cudaMalloc:3") == 1);
}

TEST_CASE("an asynchronous fault shows at the next call that waits, and stays until a reset") {
  const DeviceVector<int> y(std::vector<int>(1));
  const auto increment = [&] {
    launch("increment", increment_kernel, LaunchConfig{}, nullptr, y.data());
  };
  emulation::fault_launch(2);
  increment();
  CHECK(error_of(increment).empty());
  CHECK(error_of(increment).empty());
  CHECK(cudaStreamSynchronize(nullptr) == cudaErrorLaunchFailure);
  CHECK_THAT(last_error_text(), ContainsSubstring("kernel 'increment' was made to fault"));
  void* block = nullptr;
  CHECK(cudaMalloc(&block, 4) == cudaErrorLaunchFailure);
  CHECK_THAT(error_of(increment), ContainsSubstring("was made to fault"));
  CHECK(cudaDeviceReset() == cudaSuccess);
  CHECK(y.to_vector()[0] == 1);
  increment();
  CHECK(y.to_vector()[0] == 2);
}

TEST_CASE("no device", "[.]") {
  int count = 77;
  CHECK(cudaGetDeviceCount(&count) == cudaErrorNoDevice);
  CHECK(count == 77);
  void* block = nullptr;
  CHECK(cudaMalloc(&block, 4) == cudaErrorNoDevice);
  CHECK(cudaSetDevice(0) == cudaErrorNoDevice);
  CHECK_THAT(
      error_of([] { launch("increment", increment_kernel, LaunchConfig{}, nullptr, nullptr); }),
      ContainsSubstring("increment: no CUDA-capable device is detected (cudaErrorNoDevice)"));
}
TEST_CASE("there may be no device at all") {
  CHECK(end_of_program("no device", "CROCUTA_EMULATED_DEVICES", "0") == 0);
}

TEST_CASE("two devices", "[.]") {
  int count = 0;
  CHECK(cudaGetDeviceCount(&count) == cudaSuccess);
  CHECK(count == 2);
  CHECK(cudaSetDevice(2) == cudaErrorInvalidDevice);
  cudaGetLastError();
  REQUIRE(cudaSetDevice(1) == cudaSuccess);
  {
    const DeviceVector<int> y(std::vector<int>(1));
    launch("increment", increment_kernel, LaunchConfig{}, nullptr, y.data());
    CHECK(y.to_vector()[0] == 1);
    REQUIRE(cudaSetDevice(0) == cudaSuccess);
    CHECK_THAT(
        error_of([&] { launch("increment", increment_kernel, LaunchConfig{}, nullptr, y.data()); }),
        ContainsSubstring("points to memory of device 1, but device 0 is current"));
  }
  char one[16] = "", two[16] = "";
  CHECK(cudaDeviceGetPCIBusId(one, sizeof one, 0) == cudaSuccess);
  CHECK(cudaDeviceGetPCIBusId(two, sizeof two, 1) == cudaSuccess);
  CHECK(std::string(one) != two);
}
TEST_CASE("several devices have each their memory") {
  CHECK(end_of_program("two devices", "CROCUTA_EMULATED_DEVICES", "2") == 0);
}

TEST_CASE("what a device can do is that of compute capability 9.0") {
  cudaDeviceProp properties = {};
  REQUIRE(cudaGetDeviceProperties(&properties, 0) == cudaSuccess);
  CHECK(std::string(properties.name) == "Emulated GPU");
  CHECK(properties.major == 9);
  CHECK(kernels::max_shared_bytes() == 232448);
  CHECK(kernels::multiprocessors() == properties.multiProcessorCount);
  CHECK(cudaGetDeviceProperties(&properties, 1) == cudaErrorInvalidDevice);
  CHECK(std::string(cudaGetErrorName(cudaGetLastError())) == "cudaErrorInvalidDevice");
  CHECK(cudaPeekAtLastError() == cudaSuccess);
}

}  // namespace crocuta::test
