// NCCL on one GPU, which is all that many machines have, and between rank threads where there are
// more. Processes are test_distributed_nccl_* and test_nccl_failures.cpp.
#include <chrono>

#if defined(CROCUTA_CUDA_EMULATED)
#include "emulation/nccl_faults.h"
#endif
#include "distributed/backends/threads.h"
#include "distributed/init.h"
#include "tests/distributed/conformance.h"
#include "tests/support/catch.h"

namespace crocuta {
namespace {

TEST_CASE("NCCL conforms on one GPU") {
  if (cuda_device_count() == 0) SKIP_TEST("no GPU");
  const Device before = default_device();
  set_default_device(Device::cuda());
  {
    const ProcessGroup world = distributed::init("nccl");
    REQUIRE(world.size() == 1);
    CHECK(world.backend()->buffers_for(Device::cuda()) == Device::cuda());
    for (const auto& conformance : test::conformance_cases()) {
      INFO(conformance.name);
      CHECK_NOTHROW(conformance.run(world));
    }
  }
  set_default_device(before);
}

TEST_CASE("NCCL conforms between rank threads with a GPU each, wherever the tensors are") {
  if (cuda_device_count() < 2) SKIP_TEST("only one GPU");
  const Device before = default_device();
  RankThreadOptions options;
  options.timeout = std::chrono::seconds(30);
  for (const Device device : {Device::cpu(), Device::cuda(0)}) {
    set_default_device(device);
    for (const auto& conformance : test::conformance_cases()) {
      INFO(conformance.name << ", tensors on " << device);
      const auto body = [&](const ProcessGroup& threads) {
        const Device own = Device::cuda(threads.rank());
        const ProcessGroup world = distributed::on_device(threads, own);
        test::expect(world.backend()->buffers_for(own) == own, "NCCL", __FILE__, __LINE__);
        conformance.run(world);
      };
      CHECK_NOTHROW(run_ranks(2, body, options));
    }
  }
  set_default_device(before);
}

#if defined(CROCUTA_CUDA_EMULATED)
TEST_CASE("an error of NCCL's ends rank threads and names the collective") {
  if (cuda_device_count() < 2) SKIP_TEST("only one GPU");
  RankThreadOptions options;
  options.timeout = std::chrono::seconds(2);  // rank 1 waits in vain for what rank 0 did not start
  std::string message;
  const auto body = [](const ProcessGroup& threads) {
    const Device own = Device::cuda(threads.rank());
    const ProcessGroup world = distributed::on_device(threads, own);
    const Tensor x = zeros({5}, {.device = own});
    world.broadcast(x, 1);
    world.barrier();
    if (world.rank() == 0) emulation::fail_nccl_group(emulation::NcclFault::refusal, 1);
    threads.barrier();
    world.broadcast(x, 1);
    x.to_vector();
  };
  try {
    run_ranks(2, body, options);
  } catch (const CommError& error) {
    message = error.what();
  }
  CHECK_THAT(message, ContainsSubstring("NCCL failed in broadcast #"));
}
#endif

TEST_CASE("NCCL is refused for work on the CPU") {
  const Device before = default_device();
  set_default_device(Device::cpu());
  std::string message;
  try {
    distributed::init("nccl");
  } catch (const ArgumentError& error) {
    message = error.what();
  }
  set_default_device(before);
  CHECK_THAT(message,
             ContainsSubstring("distributed::init: 'backend': expected a GPU of its own for "
                               "each rank, which nccl needs, got none for rank 0 on "));
}

}  // namespace
}  // namespace crocuta
