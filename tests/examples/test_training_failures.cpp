// A step of training in which one call of the CUDA runtime or of its libraries fails.
#include "emulation/asan.h"
#include "emulation/errors.h"
#include "framework/device/allocator.h"
#include "tests/examples/tiny_run.h"
#include "tests/support/catch.h"
#include "tests/support/check_op.h"
#include "tests/support/expected_stream.h"
#include "tests/support/temporary_directory.h"

namespace crocuta::test {
namespace {

hyena::Options smallest_options() {
  hyena::Options o = tiny_options();
  o.device = "cuda";
  o.model.n_layers = 1;
  o.batch_size = 2;
  o.model.dropout = 0.1;
  return o;
}

}  // namespace

TEST_CASE("whichever CUDA call of a training step fails, the error says so, and all goes on") {
  const Device gpu = Device::cuda();
  TinyRun run(smallest_options());
  run.train(1);  // what is made once: handles, plans
  const TemporaryDirectory folder;
  CheckpointStore(folder.path("start")).save(run.trainer.contents());
  const Checkpoint start = load_latest(folder.path("start")).value();
  const double expected = run.train(1)[0];
  const auto restore = [&] {
    for (const Tensor& parameter : run.trainer.model().parameters()) parameter.set_grad({});
    run.trainer.restore(start);
  };
  restore();
  const std::size_t live = memory_stats(gpu).live_bytes;

  std::uint64_t call = 1;
  int errors = 0;
  // Under AddressSanitizer only some, since each takes a step.
  const std::uint64_t stride = emulation::kAddressSanitizer ? 11 : 1;
  for (bool reached = true; reached; call += stride) {
    CAPTURE(call);
    emulation::fail_call("any", call);
    double loss = expected;  // of a step that could do without the call
    try {
      loss = run.train(1)[0];
    } catch (const OutOfMemory& error) {
      ++errors;
      CHECK_THAT(error.what(), ContainsSubstring("out of memory on cuda:0: wanted "));
    } catch (const DeviceError& error) {
      ++errors;
      CHECK_THAT(error.what(), ContainsSubstring("was made to fail (cudaError") ||
                                   ContainsSubstring(": cuBLAS failed with ") ||
                                   ContainsSubstring(": cuFFT failed with "));
    }
    reached = !emulation::fail_call("any", 0);
    CHECK(loss == expected);
    restore();
    CHECK(memory_stats(gpu).live_bytes == live);
    CHECK(cudaPeekAtLastError() == cudaSuccess);
  }
  CHECK(errors > 100);
  CHECK(run.train(1)[0] == expected);
}

TEST_CASE("a training step queues all its work on the current stream") {
  TinyRun run(smallest_options());
  const double expected = run.train(1)[0];
  TinyRun same(smallest_options());
  const ExpectCurrentStream current;
  CHECK(same.train(1)[0] == expected);
  // The check itself: CUDA's default stream is another one.
  const Tensor x = ones({4}, {.device = Device::cuda()});
  CHECK(cudaMemsetAsync(x.raw_data(), 0, 16, nullptr) == cudaErrorInvalidResourceHandle);
  cudaGetLastError();
}

}  // namespace crocuta::test
