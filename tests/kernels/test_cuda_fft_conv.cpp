#include <cstdlib>
#include <thread>

#include "kernels/cuda/fft_conv/fft_conv_plan.h"
#include "tests/kernels/fft_conv_case.h"

using namespace crocuta;
using namespace crocuta::test;
using namespace crocuta::test::fft_conv_cases;

namespace {

const char* const kNoGpu = "no GPU to convolve on";

// The CPU's results for the same inputs, which also has them summed in another order.
template <class T>
void check_against_cpu(bool gated, int64_t B, int64_t C, int64_t L) {
  CAPTURE(gated, B, C, L);
  Problem<Cpu, T> cpu(gated, B, C, L);
  Problem<Cuda, T> gpu(gated, B, C, L);
  cpu.run();
  gpu.run();
  // Both may be off by what they may differ from the truth.
  check_close(gpu.y, widened(cpu.y), L, 2);
  check_close(gpu.dx, widened(cpu.dx), L, 2);
  check_close(gpu.dk, widened(cpu.dk), L, 2 * static_cast<double>(B));
  check_close(gpu.dskip, widened(cpu.dskip), L, 2 * static_cast<double>(B));
}

}  // namespace

TEST_CASE("on the GPU the convolution and its gradients match the sums that define them") {
  if (!gpu_present()) SKIP_TEST(kNoGpu);
  SECTION("float32") {
    check_lengths<Cuda, float>();
  }
  SECTION("float64") {
    check_lengths<Cuda, double>();
  }
  SECTION("bfloat16") {
    check_lengths<Cuda, bfloat16>();
  }
  SECTION("float16") {
    check_lengths<Cuda, float16>();
  }
}

TEST_CASE("on the GPU long rows keep the promised accuracy") {
  if (!gpu_present()) SKIP_TEST(kNoGpu);
  check_long_rows<Cuda>();
}

TEST_CASE("on the GPU no skip means zeros, and unwanted gradients are left out") {
  if (!gpu_present()) SKIP_TEST(kNoGpu);
  check_unwanted<Cuda>();
}

TEST_CASE("on the GPU sizes of zero leave empty results and zero gradients") {
  if (!gpu_present()) SKIP_TEST(kNoGpu);
  check_sizes_of_zero<Cuda>();
}

TEST_CASE("on the GPU a NaN fills its row and stays in it") {
  if (!gpu_present()) SKIP_TEST(kNoGpu);
  check_nan<Cuda>();
}

TEST_CASE("on the GPU batches that do not fit one piece match the CPU") {
  if (!gpu_present()) SKIP_TEST(kNoGpu);
  check_against_cpu<float>(false, 4, 1, 1'048'576);  // of which 3 rows are a piece
  check_against_cpu<double>(true, 3, 1, 700'000);    // of which 2 are
  check_against_cpu<float>(true, 3, 1100, 1021);     // pieces of 1024 channels, and a rest
}

TEST_CASE("on the GPU there may be more than 65,535 rows") {
  if (!gpu_present()) SKIP_TEST(kNoGpu);
  check_against_cpu<float>(true, 11'000, 6, 3);
  check_against_cpu<float>(false, 66'000, 1, 3);
}

TEST_CASE("on the GPU the convolution has the same bits every time, from any thread") {
  if (!gpu_present()) SKIP_TEST(kNoGpu);
  Problem<Cuda, float> first(true, 3, 7, 300);
  first.run();
  std::vector<Problem<Cuda, float>> others(4, Problem<Cuda, float>(true, 3, 7, 300));
  std::vector<std::thread> threads;
  for (auto& other : others) {
    threads.emplace_back([&] { other.run(); });
  }
  for (std::thread& thread : threads) thread.join();
  for (const auto& other : others) {
    CHECK(other.y == first.y);
    CHECK(other.dx == first.dx);
    CHECK(other.dk == first.dk);
    CHECK(other.dskip == first.dskip);
  }
}

TEST_CASE("plans are kept and used again, but not without bound") {
  if (!gpu_present()) SKIP_TEST(kNoGpu);
  cuda_fft_work_bytes<float>(16, 3);
  const std::size_t before = cuda_fft_plans();
  for (int i = 0; i < 3; ++i) cuda_fft_work_bytes<float>(16, 3);
  CHECK(cuda_fft_plans() == before);
  for (int64_t rows = 1; rows < 100; ++rows) {
    cuda_fft_work_bytes<float>(16, rows);
    cuda_fft_work_bytes<double>(16, rows);
    REQUIRE(cuda_fft_plans() <= kMaxFftPlans);
  }
  CHECK(cuda_fft_plans() == kMaxFftPlans);
  check<Cuda, float>(true, 2, 3, 17);  // whose plan was thrown out, perhaps
}

TEST_CASE("GPU transforms have sizes of few small factors, at most 1.25 times the length") {
  CHECK(cuda_fft_size(1) == 16);
  CHECK(cuda_fft_size(16) == 16);
  CHECK(cuda_fft_size(17) == 20);
  CHECK(cuda_fft_size(1024) == 1024);
  CHECK(cuda_fft_size(1025) == 1280);
  CHECK(cuda_fft_size(3000) == 3072);
  CHECK(cuda_fft_size(int64_t{1} << 30) == int64_t{1} << 30);
  for (int64_t length = 16; length < 5000; ++length) {
    const int64_t n = cuda_fft_size(length);
    int64_t rest = n;
    for (const int64_t factor : {2, 3, 5, 7}) {
      while (rest % factor == 0) rest /= factor;
    }
    REQUIRE(n >= length);
    REQUIRE(4 * n < 5 * length + 5);
    REQUIRE(n % 4 == 0);
    REQUIRE(rest == 1);
  }
}

TEST_CASE("pieces of a batch of convolutions keep to their budget and cover everything") {
  for (const int64_t B : {1, 2, 7, 100'000}) {
    for (const int64_t C : {1, 3, 768, 100'000}) {
      for (const int64_t L : {1, 100, 8192, 1 << 20, 1 << 30}) {
        for (const std::size_t bytes : {std::size_t{8}, std::size_t{16}}) {
          CAPTURE(B, C, L, bytes);
          const FftConvPlan plan = fft_conv_plan(B, C, L, bytes);
          const int64_t rows = plan.batch * plan.channels;
          REQUIRE(plan.n >= L);
          REQUIRE(plan.batch >= 1);
          REQUIRE(plan.batch <= B);
          REQUIRE(plan.channels >= 1);
          REQUIRE(plan.channels <= C);
          const auto size = static_cast<std::size_t>(rows * plan.n) * bytes;
          REQUIRE((rows == 1 || size <= kFftPieceBytes));
          REQUIRE(rows * plan.n < int64_t{1} << 31);  // kernels count in 32 bits within a piece
          // A gradient is summed over the batch piece by piece, so its channels come one by one.
          REQUIRE((plan.batch == B || plan.channels == 1));
        }
      }
    }
  }
  const FftConvPlan plan = fft_conv_plan(3, 1000, 1024, 8, 10 * 1024 * 8);
  CHECK(plan.batch == 3);
  CHECK(plan.channels == 3);
}

TEST_CASE("CROCUTA_FFT_PIECE_MIB is a number of MiB within which kernels can count") {
  CHECK(fft_piece_bytes(nullptr) == kFftPieceBytes);
  CHECK(fft_piece_bytes("1") == std::size_t{1} << 20);
  CHECK(fft_piece_bytes("48") == std::size_t{48} << 20);
  CHECK(fft_piece_bytes("8192") / sizeof(Complex<float>) < std::size_t{1} << 31);
  for (const char* text : {"", "0", "8193", "-1", "24 ", "24M", "1e3", "99999999999999999999"}) {
    CAPTURE(text);
    CHECK_THROWS_WITH(fft_piece_bytes(text),
                      "fft_conv: 'CROCUTA_FFT_PIECE_MIB': expected a number of MiB from 1 to 8192");
  }
}

// Once more with CROCUTA_FFT_PIECE_MIB=1, as test_cuda_fft_conv_small_pieces.
TEST_CASE("a convolution on the GPU takes the scratch memory of pieces of the size asked for") {
  if (!gpu_present()) SKIP_TEST(kNoGpu);
  const std::size_t piece = fft_piece_bytes(std::getenv("CROCUTA_FFT_PIECE_MIB"));
  const std::size_t bytes = kernels::fft_conv_workspace_bytes<Cuda, float>(64, 512, 4096);
  CHECK(bytes >= piece);
  CHECK(bytes < 8 * piece);
}
