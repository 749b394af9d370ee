// Long runs, repeated bit for bit at any number of threads.
#include <cmath>

#include "framework/device/threads.h"
#include "tests/examples/tiny_run.h"
#include "tests/support/catch.h"
#include "tests/support/slow.h"

namespace crocuta::test {
namespace {

using hyena::Options;

// Large enough for the kernels to use several threads.
Options threaded_options() {
  Options o = tiny_options();
  o.symbols = 20;
  o.seq_len = 62;
  o.model.d_model = 48;
  o.batch_size = 8;
  o.model.dropout = 0.1;
  return o;
}

}  // namespace

TEST_CASE("ten runs of 500 steps are one and the same, on 1, 2 and 4 threads") {
  const int runs = slow_here() ? 3 : 10;
  const std::int64_t steps = repetitions(500, 3);
  Options o = threaded_options();
  o.steps = o.schedule_steps = steps;
  std::vector<double> losses;
  std::string state;
  for (int i = 0; i < runs; ++i) {
    const NumThreads threads(1 << i % 3);
    TinyRun run(o);
    const std::vector<double> mine = run.train(steps);
    if (i == 0) {
      losses = mine;
      state = run.state();
    }
    CAPTURE(i);
    CHECK(mine == losses);
    CHECK(run.state() == state);
  }
}

#if defined(__FMA__) || defined(__ARM_FEATURE_FMA)
TEST_CASE("a run has the bits of every other machine with fused multiply-adds") {
  // What the C library has a part in: schedule, AdamW, and float64.
  std::string values;
  for (int i = 1; i <= 2000; ++i) {
    const double x = i / 128.0;
    for (const double y :
         {std::exp(-x), std::log(x), std::sin(x), std::cos(x), std::tanh(x), std::pow(0.98, i)}) {
      values.append(reinterpret_cast<const char*>(&y), sizeof y);
    }
  }
  if (sha256_hex(values) != "08955d1dc455b66a33e56e224ecc164ca4ddac853b9dbbd0984e8f035a8623d7") {
    SKIP_TEST("this C library's functions round otherwise than those of glibc 2.36");
  }
  const auto digest = [](DType dtype) {
    Options o = threaded_options();
    o.model.dtype = dtype;
    o.device = "cpu";
    o.steps = o.schedule_steps = 50;
    TinyRun run(o);
    run.train(o.steps);
    return run.state(false);
  };
  CHECK(digest(DType::float32) ==
        "6cf38647585b4c9ef52630fced00e49637754311dce1c38d69e439fb2984cca1");
  CHECK(digest(DType::float64) ==
        "c1bd635dc0d699400654073f5125bb0d21473cca0cb05ed36284bfc6393d6c5b");
  CHECK(digest(DType::bfloat16) ==
        "8b8cfd0dae1fb8d7bd25f2c06093eede33a8d5f267eed5853c707e040551b52f");
}
#endif

}  // namespace crocuta::test
