// Faults of the kinds that kernels have, seeded one at a time: each is caught, whatever the order
// of the threads, and the same kernel without it is right.
#include <algorithm>
#include <cstdint>
#include <iostream>
#include <vector>

#include "emulation/engine.h"
#include "tests/emulation/emulation_faults.h"
#include "tests/emulation/seeded_kernels.h"
#include "tests/kernels/device_vector.h"
#include "tests/support/catch.h"

namespace crocuta::test {
namespace {

using kernels::launch;
using kernels::LaunchConfig;

// How a run of one kernel ended.
enum class End { right, wrong, faulted, sanitizer, died };
constexpr const char* kEndNames[] = {"right", "wrong result", "launch failure", "sanitizer",
                                     "died"};

template <class T>
std::vector<T> numbers(std::size_t n) {
  std::vector<T> values(n);
  for (std::size_t i = 0; i < n; ++i) values[i] = static_cast<T>((i * 37 + 11) % 101);
  return values;
}

template <Fault F>
bool spread_is_right() {
  const int rows = 30, n = F == Fault::none ? kThreads : 100;
  const auto x = numbers<float>(static_cast<std::size_t>(rows * n));
  const DeviceVector<float> in(x), out(rows);
  launch("spread", spread_kernel<F>, LaunchConfig{dim3(rows), dim3(kThreads), 0}, nullptr, n,
         out.data(), in.data());
  std::vector<float> expected;
  for (int row = 0; row < rows; ++row) {
    const auto first = x.begin() + row * n;
    expected.push_back(*std::max_element(first, first + n) - *std::min_element(first, first + n));
  }
  return out.to_vector() == expected;
}

template <Fault F>
bool warp_scan_is_right() {
  const int rows = 7;
  const auto x = numbers<int>(rows * kWarpThreads);
  const DeviceVector<int> in(x), out(x.size());
  launch("warp_scan", warp_scan_kernel<F>, LaunchConfig{dim3(2), dim3(kThreads), 0}, nullptr, rows,
         out.data(), in.data());
  std::vector<int> expected = x;
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (i % kWarpThreads != 0) expected[i] += expected[i - 1];
  }
  return out.to_vector() == expected;
}

template <Fault F>
bool transpose_is_right() {
  const int rows = 37, columns = 50;
  const auto x = numbers<float>(rows * columns);
  const DeviceVector<float> in(x), out(x.size());
  launch("transpose", transpose_kernel<F>, LaunchConfig{dim3(4, 3), dim3(kTile, kTile), 0}, nullptr,
         rows, columns, out.data(), in.data());
  std::vector<float> expected(x.size());
  for (int i = 0; i < rows * columns; ++i) {
    expected[static_cast<std::size_t>(i % columns * rows + i / columns)] =
        x[static_cast<std::size_t>(i)];
  }
  return out.to_vector() == expected;
}

template <Fault F>
bool copy_is_right() {
  const std::int64_t n = 4099, offset = F == Fault::misaligned_vector ? 1 : 0;
  const auto x = numbers<float>(static_cast<std::size_t>(n + offset));
  const DeviceVector<float> in(x), out(static_cast<std::size_t>(n));
  launch("copy", copy_kernel<F>, LaunchConfig{dim3(3), dim3(kThreads), 0}, nullptr, n, out.data(),
         in.data() + offset);
  return out.to_vector() == std::vector<float>(x.begin() + offset, x.end());
}

template <Fault F>
bool stencil_is_right() {
  const int n = 1000;
  const auto x = numbers<float>(n);
  const DeviceVector<float> in(x), out(n);
  launch("stencil", stencil_kernel<F>, LaunchConfig{dim3(8), dim3(kThreads), 0}, nullptr, n,
         out.data(), in.data());
  std::vector<float> expected = x;
  for (int i = 0; i < n; ++i) {
    const auto at = static_cast<std::size_t>(i);
    if (i > 0) expected[at] += x[at - 1];
    if (i < n - 1) expected[at] += x[at + 1];
  }
  return out.to_vector() == expected;
}

template <Fault F>
bool hash_is_right() {
  const int n = 1000, row = 3000000;
  const DeviceVector<std::uint64_t> out(n);
  launch("hash", hash_kernel<F>, kernels::grid_for(n), nullptr, n, row, out.data());
  std::vector<std::uint64_t> expected;
  for (std::uint64_t i = 0; i < n; ++i) {
    expected.push_back((3000000000u + i) * 0x9e3779b97f4a7c15u);
  }
  return out.to_vector() == expected;
}

bool host_pointer_is_right() {
  std::vector<std::uint64_t> host(10);
  launch("hash", hash_kernel<Fault::none>, kernels::grid_for(10), nullptr, 10, 0, host.data());
  return host[1] == 0x9e3779b97f4a7c15u;
}
bool freed_memory_is_right() {
  std::uint64_t* freed = DeviceVector<std::uint64_t>(10).data();
  launch("hash", hash_kernel<Fault::none>, kernels::grid_for(10), nullptr, 10, 0, freed);
  return true;
}
bool large_grid_is_right() {
  const DeviceVector<std::uint64_t> out(10);
  launch("hash", hash_kernel<Fault::none>, LaunchConfig{dim3(1, 70000), dim3(32), 0}, nullptr, 10,
         0, out.data());
  return true;
}

struct Seeded {
  const char* kernel;
  const char* fault;
  bool (*is_right)();
};
const Seeded kFaulty[] = {
    {"block reduction", "dropped barrier", spread_is_right<Fault::dropped_barrier>},
    {"block reduction", "no barrier between two uses of a shared array",
     spread_is_right<Fault::dropped_second_barrier>},
    {"block reduction", "barrier in a divergent branch", spread_is_right<Fault::divergent_barrier>},
    {"block reduction", "return before a barrier", spread_is_right<Fault::return_before_barrier>},
    {"block reduction", "uninitialised shared words", spread_is_right<Fault::uninitialised_word>},
    {"block reduction", "read past the end", spread_is_right<Fault::read_past_end>},
    {"warp scan", "wrong shuffle width", warp_scan_is_right<Fault::wrong_width>},
    {"warp scan", "wrong shuffle mask", warp_scan_is_right<Fault::wrong_mask>},
    {"warp scan", "lanes that return before a shuffle", warp_scan_is_right<Fault::lanes_returned>},
    {"warp scan", "missing check of the lane", warp_scan_is_right<Fault::missing_lane_check>},
    {"tiled transpose", "dropped barrier", transpose_is_right<Fault::dropped_barrier>},
    {"tiled transpose", "shared tile one row too small",
     transpose_is_right<Fault::shared_too_small>},
    {"tiled transpose", "write past the end", transpose_is_right<Fault::write_past_end>},
    {"tiled transpose", "rows for columns", transpose_is_right<Fault::wrong_dimension>},
    {"vectorised copy", "tail one too short", copy_is_right<Fault::tail_too_short>},
    {"vectorised copy", "tail as a whole vector", copy_is_right<Fault::tail_too_long>},
    {"vectorised copy", "misaligned vector", copy_is_right<Fault::misaligned_vector>},
    {"vectorised copy", "no loop over a grid too small", copy_is_right<Fault::no_stride_loop>},
    {"halo stencil", "dropped barrier", stencil_is_right<Fault::dropped_barrier>},
    {"halo stencil", "halo not loaded", stencil_is_right<Fault::uninitialised_word>},
    {"halo stencil", "read before the start", stencil_is_right<Fault::read_before_start>},
    {"random numbers", "index of 32 bits", hash_is_right<Fault::index_of_32_bits>},
    {"random numbers", "pointer to host memory", host_pointer_is_right},
    {"random numbers", "pointer to freed memory", freed_memory_is_right},
    {"random numbers", "grid beyond CUDA's limits", large_grid_is_right},
};
const Seeded kRight[] = {
    {"block reduction", "none", spread_is_right<Fault::none>},
    {"warp scan", "none", warp_scan_is_right<Fault::none>},
    {"tiled transpose", "none", transpose_is_right<Fault::none>},
    {"vectorised copy", "none", copy_is_right<Fault::none>},
    {"halo stencil", "none", stencil_is_right<Fault::none>},
    {"random numbers", "none", hash_is_right<Fault::none>},
};

// Runs it in a process of its own, since a sanitizer's report ends that.
End end_of(const Seeded& seeded, std::uint64_t seed) {
  constexpr int kWrong = 40, kFaulted = 41;
  const int status = end_of_child([&] {
    emulation::set_seed(seed);
    bool right = false;
    const std::string error = error_of([&] { right = seeded.is_right(); });
    _exit(!error.empty() ? kFaulted : right ? 0 : kWrong);
  });
  if (status == 0) return End::right;
  if (status == kWrong) return End::wrong;
  if (status == kFaulted) return End::faulted;
  return status == 1 ? End::sanitizer : End::died;
}

}  // namespace

TEST_CASE("the kernels without faults are right under every seed") {
  for (const Seeded& seeded : kRight) {
    for (std::uint64_t seed = 0; seed < 10; ++seed) {
      CAPTURE(seeded.kernel, seed);
      CHECK(end_of(seeded, seed) == End::right);
    }
  }
}

TEST_CASE("every seeded fault is caught under every seed") {
  for (const Seeded& seeded : kFaulty) {
    int ends[5] = {};
    for (std::uint64_t seed = 0; seed < 10; ++seed) {
      CAPTURE(seeded.kernel, seeded.fault, seed);
      const End end = end_of(seeded, seed);
      CHECK(end != End::right);
      CHECK(end != End::died);
      ++ends[static_cast<int>(end)];
    }
    std::cout << seeded.kernel << ", " << seeded.fault << ":";
    for (int i = 0; i < 5; ++i) {
      if (ends[i] > 0) std::cout << " " << kEndNames[i] << " (" << ends[i] << " of 10)";
    }
    std::cout << "\n";
  }
}

}  // namespace crocuta::test
