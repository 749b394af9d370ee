// The caching allocators of all devices: reuse, counters, and what happens when memory is short.
#include "framework/device/allocator.h"

#include "framework/ops/ops.h"
#include "tests/support/catch.h"
#include "tests/support/check_op.h"
#if defined(CROCUTA_CUDA_EMULATED)
#include "emulation/errors.h"
#endif

using namespace crocuta;
using namespace crocuta::test;

namespace {

constexpr std::int64_t kMebibyte = 1 << 18;  // elements

Tensor block(Device device, std::int64_t elements = kMebibyte) {
  return empty({elements}, {.device = device});
}

// Whether this build keeps memory at all: under AddressSanitizer each block is its own.
bool caches(Device device) {
  release_cached_memory(device);
  block(device);
  const bool cached = memory_stats(device).cached_bytes > 0;
  release_cached_memory(device);
  return cached;
}

}  // namespace

TEST_CASE("live, peak and cached bytes are counted, per device") {
  for (const Device device : test_devices()) {
    CAPTURE(name(device));
    release_cached_memory(device);
    reset_peak_memory(device);
    const MemoryStats before = memory_stats(device);
    CHECK(before.cached_bytes == 0);
    const bool cached = caches(device);
    {
      const Tensor x = block(device), y = block(device);
      CHECK(memory_stats(device).live_bytes - before.live_bytes == 2u << 20);
      CHECK(reinterpret_cast<std::uintptr_t>(x.raw_data()) % 64 == 0);
    }
    const MemoryStats after = memory_stats(device);
    CHECK(after.live_bytes == before.live_bytes);
    CHECK(after.peak_bytes - before.live_bytes == 2u << 20);
    CHECK(after.allocations - before.allocations == 3);
    CHECK(after.cached_bytes == (cached ? 2u << 20 : 0u));
    release_cached_memory(device);
    CHECK(memory_stats(device).cached_bytes == 0);
    reset_peak_memory(device);
    CHECK(memory_stats(device).peak_bytes == memory_stats(device).live_bytes);
  }
}

TEST_CASE("a block given back is handed out again for a request of its size") {
  for (const Device device : test_devices()) {
    if (!caches(device)) SKIP_TEST("nothing is kept under AddressSanitizer");
    const void* first = block(device).raw_data();
    CHECK(block(device).raw_data() == first);
    CHECK(block(device, kMebibyte - 100).raw_data() == first);  // a quarter may be wasted
    const Tensor held = block(device);
    CHECK(held.raw_data() == first);
    CHECK(block(device).raw_data() != first);
  }
}

TEST_CASE("a GPU's block is handed out again on the stream it belongs to, and on no other") {
  if (cuda_device_count() == 0) SKIP_TEST("no GPU for streams");
  const Device gpu = Device::cuda();
  if (!caches(gpu)) SKIP_TEST("nothing is kept under AddressSanitizer");
  const SideStream side(gpu);
  const void* on_side = nullptr;
  Tensor outlives_guard;
  {
    const StreamGuard guard(side);
    on_side = block(gpu).raw_data();
    outlives_guard = block(gpu);
    CHECK(outlives_guard.raw_data() == on_side);
  }
  outlives_guard = Tensor();  // given back while another stream is current
  CHECK(block(gpu).raw_data() != on_side);
  const StreamGuard guard(side);
  CHECK(block(gpu).raw_data() == on_side);
}

TEST_CASE("nothing takes no memory") {
  for (const Device device : test_devices()) {
    const MemoryStats before = memory_stats(device);
    CHECK(block(device, 0).raw_data() == nullptr);
    CHECK(memory_stats(device).allocations == before.allocations);
  }
}

TEST_CASE("more memory than there is gives OutOfMemory at once, with the figures") {
  for (const Device device : test_devices()) {
    const std::string message =
        message_of<OutOfMemory>([&] { block(device, std::int64_t{1} << 46); });
    CHECK_THAT(message,
               ContainsSubstring(str("out of memory on ", device, ": wanted 262144.00 GiB, ")) &&
                   ContainsSubstring(" free") &&
                   ContainsSubstring("; try a smaller batch size or sequence length"));
    if (device.is_cuda()) CHECK_THAT(message, ContainsSubstring(" free of "));
  }
}

#if defined(CROCUTA_CUDA_EMULATED)

TEST_CASE("when a GPU is full the cache is given up first") {
  const Device gpu = Device::cuda();
  if (!caches(gpu)) SKIP_TEST("nothing is kept under AddressSanitizer");
  block(gpu);
  CHECK(memory_stats(gpu).cached_bytes > 0);
  emulation::fail_call("cudaMalloc", 1);
  const Tensor x = block(gpu, 2 * kMebibyte);
  CHECK(x.defined());
  CHECK(memory_stats(gpu).cached_bytes == 0);
}

TEST_CASE("a GPU that fails otherwise than by being full says how") {
  emulation::fail_call("cudaSetDevice", 1);
  emulation::fail_call("cudaGetDevice", 1);
  CHECK_THAT(message_of<DeviceError>([] { block(Device::cuda(), kMebibyte + 7); }),
             ContainsSubstring("cudaGetDevice: "));
  emulation::fail_call("cudaSetDevice", 0);
  CHECK(block(Device::cuda(), kMebibyte + 7).defined());
}

#endif

TEST_CASE("whichever allocation fails, nothing leaks and the next attempt succeeds") {
  for (const Device device : test_devices()) {
    CAPTURE(name(device));
    const Tensor weight = full({8, 5}, 0.5, {.device = device}).set_requires_grad();
    const Tensor x = ones({3, 5}, {.device = device});
    const auto work = [&] {
      weight.set_grad({});
      const Tensor loss = mean(square(linear(x, weight)));
      loss.backward();
      return loss.item();
    };
    const double expected = work();
    weight.set_grad({});
    const std::size_t live = memory_stats(device).live_bytes;
    const std::size_t host = memory_stats(Device::cpu()).live_bytes;
    std::uint64_t failures = 0;
    for (bool failed = true; failed;) {
      fail_allocation(failures + 1);
      try {
        const double result = work();
        failed = false;
        CHECK(result == expected);
      } catch (const OutOfMemory&) {
        ++failures;
      }
      fail_allocation(0);
      weight.set_grad({});
      CHECK(memory_stats(device).live_bytes == live);
      CHECK(memory_stats(Device::cpu()).live_bytes == host);
    }
    CHECK(failures > 8);
  }
}
