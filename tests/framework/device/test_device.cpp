// Which devices there are, which is meant, and the streams their work runs on.
#include "framework/device/device.h"

#include <thread>

#include "framework/ops/ops.h"
#include "tests/support/catch.h"
#include "tests/support/check_op.h"
#if defined(CROCUTA_CUDA_EMULATED)
#include "emulation/errors.h"
#include "emulation/runtime_api.h"
#endif

using namespace crocuta;
using namespace crocuta::test;

namespace {

// Puts the default device back at its end.
class DefaultDevice {
 public:
  explicit DefaultDevice(Device device) { set_default_device(device); }
  ~DefaultDevice() { set_default_device(before_); }

 private:
  const Device before_ = default_device();
};

std::string parse_error(const std::string& text) {
  return message_of<DeviceError>([&] { parse_device(text, "here"); });
}

}  // namespace

TEST_CASE("devices are named as they are parsed") {
  CHECK(name(Device::cpu()) == "cpu");
  CHECK(name(Device::cuda(3)) == "cuda:3");
  CHECK(parse_device("cpu") == Device::cpu());
  CHECK(parse_device("auto") == default_device());
  for (const char* text :
       {"tpu", "", "cuda:", "cuda:x", "cuda:-1", "cuda:1 ", "cuda:99999999999", "CPU"}) {
    CHECK(parse_error(text) ==
          str("here: 'device': expected auto, cpu, cuda or cuda:<number>, got \"", text, '"'));
  }
}

TEST_CASE("a GPU that is not there is refused, saying what there is") {
  const int count = cuda_device_count();
  const Device absent = Device::cuda(count);
  if (!has_cuda_build()) {
    CHECK(parse_error("cuda:0") ==
          "here: 'device': expected cpu, got cuda:0 (this build has no CUDA; configure with "
          "-DCROCUTA_CUDA=ON)");
  } else if (count == 0) {
    CHECK_THAT(parse_error("cuda"),
               ContainsSubstring("here: 'device': expected cpu, got cuda:0 (no GPU: "));
  } else if (count == 1) {
    CHECK(parse_error("cuda:1") ==
          "here: 'device': expected cpu or cuda:0, got cuda:1 (this machine has 1 GPU)");
  } else {
    CHECK(parse_error(name(absent)) ==
          str("here: 'device': expected cpu or cuda:0 to cuda:", count - 1, ", got cuda:", count,
              " (this machine has ", count, " GPUs)"));
  }
  CHECK_THROWS_AS(empty({2}, {.device = absent}), DeviceError);
  CHECK_THROWS_AS(tensor({1, 2}).to(absent), DeviceError);
  CHECK_THROWS_AS(set_default_device(absent), DeviceError);
  CHECK_THROWS_AS(SideStream(absent), DeviceError);
}

TEST_CASE("tensors that name no device go to the default one") {
  for (const Device device : test_devices()) {
    const DefaultDevice guard(device);
    CHECK(default_device() == device);
    CHECK(parse_device("auto") == device);
    CHECK(TensorOptions{}.device == device);
    CHECK(zeros({2}).device() == device);
    CHECK(arange(2).device() == device);
    CHECK(from_vector<float>({1, 2}, {2}).device() == device);
    CHECK(from_vector<float>({1, 2}, {2}, Device::cpu()).device() == Device::cpu());
    Device in_thread;
    std::thread([&] { in_thread = default_device(); }).join();
    CHECK(in_thread == device);
  }
}

TEST_CASE("the GPU without a number is the default one, or that of this process's local rank") {
  const int count = cuda_device_count();
  if (count == 0) SKIP_TEST("no GPU to choose");
  const DefaultDevice guard(Device::cpu());
  for (int rank = 0; rank <= 2 * count; ++rank) {
    set_local_rank(rank);
    CHECK(parse_device("cuda") == Device::cuda(rank % count));
    CHECK(default_device() == Device::cpu());
  }
  const DefaultDevice last(Device::cuda(count - 1));
  set_local_rank(0);
  CHECK(parse_device("cuda") == Device::cuda(count - 1));
  CHECK_THROWS_AS(set_local_rank(-1), ArgumentError);
}

TEST_CASE("threads share one stream per GPU, and have others while a guard lives") {
  CHECK(current_stream(Device::cpu()) == nullptr);
  const SideStream none(Device::cpu());
  CHECK(none.get() == nullptr);
  if (cuda_device_count() == 0) SKIP_TEST("no GPU for streams");
  const Device gpu = Device::cuda();
  const kernels::Stream shared = current_stream(gpu);
  CHECK(shared != nullptr);
  const SideStream one(gpu), two(gpu);
  {
    const StreamGuard first(one);
    CHECK(current_stream(gpu) == one.get());
    {
      const StreamGuard second(two);
      CHECK(current_stream(gpu) == two.get());
      CHECK((ones({1000}, {.device = gpu}) * 3).to_vector() == std::vector<float>(1000, 3));
    }
    CHECK(current_stream(gpu) == one.get());
    kernels::Stream elsewhere = nullptr;
    std::thread([&] { elsewhere = current_stream(gpu); }).join();
    CHECK(elsewhere == shared);
  }
  CHECK(current_stream(gpu) == shared);
}

TEST_CASE("a stream waits for another where that is asked for") {
  if (cuda_device_count() == 0) SKIP_TEST("no GPU for streams");
  const Device gpu = Device::cuda();
  const SideStream side(gpu);
  const Tensor x = ones({100'000}, {.device = gpu});
  wait_for(gpu, side.get(), gpu, current_stream(gpu));
  Tensor y;
  {
    const StreamGuard guard(side);
    y = x * 2;
  }
  wait_for(gpu, current_stream(gpu), gpu, side.get());
  CHECK(sum(y).item() == 200'000);
  CHECK_NOTHROW(synchronize(gpu));
  CHECK_NOTHROW(synchronize(Device::cpu()));
}

TEST_CASE("threads may work on different GPUs") {
  const int count = cuda_device_count();
  if (count < 2) SKIP_TEST("only one GPU");
  std::vector<double> sums(static_cast<std::size_t>(count));
  std::vector<std::thread> threads;
  for (int i = 0; i < count; ++i) {
    threads.emplace_back([&, i] {
      Tensor x = full({1000}, i + 1, {.device = Device::cuda(i)});
      for (int k = 0; k < 20; ++k) x = x + 1;
      sums[static_cast<std::size_t>(i)] = sum(x).item();
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (int i = 0; i < count; ++i) CHECK(sums[static_cast<std::size_t>(i)] == 1000 * (i + 21));
}

#if defined(CROCUTA_CUDA_EMULATED)

TEST_CASE("a kernel that cannot be launched is an error at once, with its name") {
  emulation::fail_call("fill", 1);
  CHECK_THAT(message_of<DeviceError>([] { ones({4}, {.device = Device::cuda()}); }),
             ContainsSubstring("fill: "));
  CHECK(ones({4}, {.device = Device::cuda()}).to_vector() == std::vector<float>(4, 1));
}

TEST_CASE("a kernel that fails while it runs is an error where the GPU is waited for, with names") {
  const Tensor x = ones({4}, {.device = Device::cuda()});
  emulation::fault_launch(1);
  Tensor y;
  CHECK_NOTHROW(y = x + x);
  const std::string message = message_of<DeviceError>([&] { y.to_vector(); });
  CHECK_THAT(message, ContainsSubstring("kernels launched last, newest first: ") &&
                          ContainsSubstring("Add") && ContainsSubstring("CROCUTA_CUDA_SYNC=1"));
  // It stays failed: nothing that follows is taken for a result.
  CHECK_THROWS_AS(x.to_vector(), DeviceError);
  CHECK_THROWS_AS(synchronize(Device::cuda()), DeviceError);
  CHECK(cudaDeviceReset() == cudaSuccess);
  CHECK(x.to_vector() == std::vector<float>(4, 1));
}

#endif
