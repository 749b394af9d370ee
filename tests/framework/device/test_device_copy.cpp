// Tensors that move between devices.
#include "framework/device/device_copy.h"

#include <cstring>
#include <limits>
#include <numeric>

#include "framework/ops/ops.h"
#include "tests/support/bits.h"
#include "tests/support/catch.h"
#include "tests/support/check_op.h"
#if defined(CROCUTA_WITH_CUDA)
#include "kernels/cuda/toolbox/runtime.h"
#endif
#if defined(CROCUTA_CUDA_EMULATED)
#include "emulation/errors.h"
#endif

using namespace crocuta;
using namespace crocuta::test;

namespace {

const std::vector<DType> kAll = {DType::float32, DType::float64, DType::bfloat16,
                                 DType::float16, DType::int64,   DType::int32};

}  // namespace

TEST_CASE("a tensor keeps its bits on the way to any device and back") {
  for (const Device device : test_devices()) {
    for (const DType dtype : kAll) {
      CAPTURE(name(device), name(dtype));
      Tensor x = arange(1001, {.device = Device::cpu()}).to(dtype);
      if (is_floating(dtype)) {
        narrow(x, 0, 3, 1).fill_(std::numeric_limits<double>::quiet_NaN());
        narrow(x, 0, 4, 1).fill_(-0.0);
        narrow(x, 0, 5, 1).fill_(std::numeric_limits<double>::infinity());
      }
      const Tensor there = x.to(device);
      CHECK(there.device() == device);
      CHECK(there.is_same(x) == device.is_cpu());
      CHECK(same_bits(there.to(Device::cpu()), x));
      CHECK(same_bits(there.clone(), x));
    }
  }
}

TEST_CASE("views move with the elements they name, and arrive contiguous") {
  for (const Device device : test_devices()) {
    const Tensor x = reshape(arange(60, {.device = Device::cpu()}).to(DType::float32), {3, 4, 5});
    const Tensor there = x.to(device);
    for (const auto& view : {+[](const Tensor& t) { return transpose(t, 0, 2); },
                             +[](const Tensor& t) { return narrow(t, 1, 1, 2); },
                             +[](const Tensor& t) { return select(t, 2, 3); },
                             +[](const Tensor& t) {
                               return expand(unsqueeze(select(t, 2, 1), 2), {3, 4, 6});
                             },
                             +[](const Tensor& t) { return narrow(t, 0, 3, 0); }}) {
      CHECK(same_bits(view(there), view(x)));
      const Tensor moved = view(x).to(device);
      CHECK(same_bits(moved, view(x)));
      if (device.is_cuda()) CHECK(moved.is_contiguous());
    }
  }
}

TEST_CASE("sizes around the pieces that copies go by arrive whole") {
  const std::int64_t piece = 8 << 20;
  for (const Device device : test_devices()) {
    for (const std::int64_t bytes : {piece - 4, piece, piece + 4, 3 * piece + 4092}) {
      const std::int64_t n = bytes / 4;
      const Tensor x = arange(n, {DType::int32, Device::cpu()});
      const Tensor there = x.to(device);
      CHECK(sum(there.to(DType::int64)).item() == static_cast<double>(n * (n - 1) / 2));
      CHECK(same_bits(there, x));
    }
  }
}

TEST_CASE("copy_ converts, broadcasts and writes into views across devices") {
  for (const Device from : test_devices()) {
    for (const Device to : test_devices()) {
      CAPTURE(name(from), name(to));
      const Tensor row = tensor({1, 2, 3}, {.device = from});
      const Tensor y = zeros({2, 3}, {DType::float64, to});
      y.copy_(row);
      CHECK(y.to_vector() == std::vector<float>{1, 2, 3, 1, 2, 3});
      narrow(y, 1, 1, 1).copy_(full({}, 7, {DType::bfloat16, from}));
      CHECK(y.to_vector() == std::vector<float>{1, 7, 3, 1, 7, 3});
      const std::uint64_t version = y.storage()->version;
      y.copy_(zeros({2, 3}, {DType::float64, from}));
      CHECK(y.storage()->version > version);
      CHECK(sum(y).item() == 0);
    }
  }
}

TEST_CASE("gradients flow back to the device they came from") {
  for (const Device device : test_devices()) {
    const Tensor x = tensor({1, 2, 3}, {.device = Device::cpu()}).set_requires_grad();
    const Tensor y = sum(square(x.to(device)));
    y.backward();
    CHECK(x.grad().device() == Device::cpu());
    CHECK(x.grad().to_vector() == std::vector<float>{2, 4, 6});
  }
}

TEST_CASE("tensors move from one GPU to another") {
  if (cuda_device_count() < 2) SKIP_TEST("only one GPU");
  const Tensor x = reshape(arange(1 << 20, {DType::int32, Device::cuda(0)}), {1 << 10, 1 << 10});
  const Tensor y = transpose(x, 0, 1).to(Device::cuda(1));
  CHECK(y.device() == Device::cuda(1));
  CHECK(same_bits(y, transpose(x, 0, 1)));
  const Tensor back = y.to(Device::cuda(0));
  CHECK(same_bits(back, transpose(x, 0, 1)));
  CHECK(sum(y.to(DType::int64)).item() == sum(x.to(DType::int64)).item());
#if defined(CROCUTA_WITH_CUDA)
  // And not through the host, where the GPUs can reach each other.
  int possible = 0;
  REQUIRE(cudaDeviceCanAccessPeer(&possible, 0, 1) == cudaSuccess);
  if (possible == 0) return;
  REQUIRE(cudaSetDevice(0) == cudaSuccess);
  CHECK(cudaDeviceEnablePeerAccess(1, 0) == cudaErrorPeerAccessAlreadyEnabled);
  cudaGetLastError();
#endif
}

TEST_CASE("host memory that the GPU may still read is not handed out again") {
  if (cuda_device_count() == 0) SKIP_TEST("no GPU to read it");
  const Device gpu = Device::cuda();
  // Many transfers in flight, each of which has to arrive as it was sent.
  std::vector<Tensor> sent;
  for (int i = 0; i < 200; ++i) sent.push_back(tensor({double(i), double(i + 1)}, {.device = gpu}));
  for (int i = 0; i < 200; ++i) {
    CHECK(sent[static_cast<std::size_t>(i)].to_vector() ==
          std::vector<float>{float(i), float(i + 1)});
  }
}

#if defined(CROCUTA_WITH_CUDA)
TEST_CASE(
    "page-locked memory is kept for reuse, and replaced by ordinary memory if there is none") {
  if (cuda_device_count() == 0) SKIP_TEST("no GPU for page-locked memory");
  const Device gpu = Device::cuda();
  const std::size_t bytes = 123'456;
  const Tensor x = tensor({1, 2, 3}, {.device = gpu}), y = zeros({3}, {.device = gpu});
  std::byte* first = nullptr;
  {
    PinnedBuffer buffer(gpu, bytes);
    first = buffer.data();
    buffer.load(x.raw_data(), 12);
    buffer.wait();
    CHECK(reinterpret_cast<const float*>(first)[2] == 3);
    buffer.store(y.raw_data(), 12);
  }
  CHECK(y.to_vector() == std::vector<float>{1, 2, 3});
  PinnedBuffer again(gpu, bytes - 1000);
  CHECK(again.data() == first);
  CHECK(PinnedBuffer(gpu, bytes).data() != first);
  PinnedBuffer moved = std::move(again);
  CHECK(moved.data() == first);
#if defined(CROCUTA_CUDA_EMULATED)
  emulation::fail_call("cudaHostAlloc", 1);
  const PinnedBuffer ordinary(gpu, 64 << 20);
  emulation::fail_call("cudaHostAlloc", 0);
  CHECK(ordinary.data() != nullptr);
  std::memset(ordinary.data(), 1, 64 << 20);
#endif
}
#endif
