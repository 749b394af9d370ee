// The estimate of what a run takes, beside what it takes.
#include "examples/hyena/app/memory.h"

#include "framework/base/error.h"
#include "framework/device/allocator.h"
#include "tests/examples/tiny_run.h"
#include "tests/support/catch.h"
#include "tests/support/check_op.h"

namespace crocuta::test {

TEST_CASE("the estimate is below what a training step takes, and not far below") {
#if defined(CROCUTA_SANITIZED)
  SKIP_TEST("memory that is not cached, as under AddressSanitizer, is less");
#endif
  const auto check = [](const std::string& json) {
    CAPTURE(json);
    const hyena::Options options = hyena::read_options(Config::parse(
        "{\"device\": \"cpu\", \"test_sequences\": 4, \"seq_len\": 62, " + json + "}"));
    release_cached_memory(Device::cpu());
    const std::size_t before = memory_stats(Device::cpu()).live_bytes;
    reset_peak_memory(Device::cpu());
    TinyRun run(options);
    run.train(2);
    const auto taken = static_cast<double>(memory_stats(Device::cpu()).peak_bytes - before);
    const hyena::MemoryEstimate estimate = hyena::estimate_memory(options, 1, 1);
    CHECK(estimate.activations + estimate.parameters < taken);
    CHECK(estimate.activations + estimate.parameters > 0.5 * taken);
  };
  check(R"("batch_size": 128)");
  check(R"("batch_size": 64, "d_inner": 1024)");
  check(R"("batch_size": 64, "dtype": "float64", "n_layers": 1)");
  check(R"("batch_size": 64, "dtype": "bfloat16")");
  check(R"("batch_size": 1, "d_model": 512)");
}

TEST_CASE("ranks that are threads need their own parameters and data, and share activations") {
  const hyena::Options options = hyena::read_options(Config::parse("{\"device\": \"cpu\"}"));
  const hyena::MemoryEstimate one = hyena::estimate_memory(options, 1, 1);
  const hyena::MemoryEstimate threads = hyena::estimate_memory(options, 4, 4);
  const hyena::MemoryEstimate process = hyena::estimate_memory(options, 4, 1);
  CHECK(threads.activations == one.activations);
  CHECK(threads.parameters == 4 * one.parameters);
  CHECK(threads.data > 2 * one.data);
  CHECK(process.activations == one.activations / 4);
  CHECK(process.parameters == one.parameters);
}

TEST_CASE("a run that cannot fit is refused with the figures") {
  const hyena::Options options = hyena::read_options(
      Config::parse("{\"device\": \"cpu\", \"batch_size\": 16777216, \"seq_len\": 1000000}"));
  CHECK_THAT(message_of<OutOfMemory>([&] { hyena::require_memory(options, 1, 1); }),
             ContainsSubstring("training needs about ") &&
                 ContainsSubstring(" GiB of memory (act") &&
                 ContainsSubstring(" free; try a smaller batch size, sequence length or model"));
}

}  // namespace crocuta::test
