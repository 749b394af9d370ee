// How the depthwise convolution on a GPU lays rows over blocks: needs neither a GPU nor CUDA.
#include "kernels/cuda/depthwise_conv1d/launch.h"

#include <map>
#include <random>
#include <vector>

#include "kernels/cuda/toolbox/divider.h"
#include "tests/support/catch.h"

using namespace crocuta;
using namespace crocuta::kernels;

namespace {

constexpr std::int64_t kLengths[] = {
    1,   2,   3,   7,    8,    9,    15,   16,   17,   63,   64,   65,   127,  128,  129,   500,
    511, 512, 513, 1000, 1023, 1024, 1025, 2047, 2048, 2049, 4095, 4096, 8191, 8192, 33001, 262144};

// Every sample of a row is one thread's, and one alone.
template <class T>
void check_short_coverage(std::int64_t length, std::int64_t rows) {
  const RowTiling tiling = tile_short_rows<T>(length, rows);
  constexpr int V = kConvVector<T>;
  for (int skew = 0; skew < (length % V == 0 ? 1 : V); ++skew) {
    std::vector<int> taken(static_cast<std::size_t>(length));
    for (int tile = 0; tile < tiling.tiles; ++tile) {
      for (int thread = 0; thread < tiling.threads; ++thread) {
        const int place = short_place<T>(tile, tiling.threads, thread, skew);
        REQUIRE((place + skew) % V == 0);
        for (int u = 0; u < kConvVectors; ++u) {
          for (int j = 0; j < V; ++j) {
            const int p = place + u * tiling.threads * V + j;
            if (p >= 0 && p < length) ++taken[static_cast<std::size_t>(p)];
          }
        }
      }
    }
    REQUIRE(std::count(taken.begin(), taken.end(), 1) == length);
  }
}

void check_block(const RowTiling& tiling, int most_threads) {
  REQUIRE(tiling.threads >= 1);
  REQUIRE(tiling.rows >= 1);
  REQUIRE(tiling.threads * tiling.rows <= most_threads);
  REQUIRE(tiling.threads * tiling.rows % 32 == 0);
  REQUIRE(tiling.tiles >= 1);
  if (tiling.rows > 1) REQUIRE(tiling.tiles == 1);
}

template <class T>
void check_long(std::int64_t length, std::int64_t taps, std::int64_t rows) {
  const LongTiling tiling = tile_long_rows<T>(length, taps, rows);
  constexpr std::int64_t N = kConvSums<T>;
  check_block(tiling.rows, kLongThreads);
  REQUIRE(tiling.rows.tiles * tiling.rows.threads * N >= conv_places<T>(length, N) * N);
  REQUIRE(tiling.chunk % N == 0);
  REQUIRE(tiling.chunk >= std::min(taps, kMostChunk));
  // A thread reads a stretch beyond those of its last taps.
  REQUIRE(tiling.row_stretches * N >= tiling.rows.threads * N + tiling.chunk);
  REQUIRE(tiling.shared_bytes <= kConvSharedBytes);

  const LongSumsTiling sums = tile_long_sums<T>(rows, length, taps);
  REQUIRE(sums.threads % 32 == 0);
  REQUIRE(sums.groups * sums.segments <= sums.threads);
  REQUIRE(sums.threads <= kLongThreads);
  REQUIRE(sums.tap_chunks * sums.groups * N >= taps);
  REQUIRE((sums.tap_chunks - 1) * sums.groups * N < taps);
  REQUIRE(sums.tiles * sums.row_stretches >= conv_places<T>(length, N));
  REQUIRE(sums.shared_bytes <= kConvSharedBytes);
  REQUIRE(sums.shared_bytes >= sums.groups * sums.segments * kConvSumBytes);
}

template <class T>
void check_units(const DepthwiseConv1dShape& shape) {
  const RowTiling tiling = tile_short_rows<T>(shape.length, shape.batch);
  const auto long_tiling = tile_long_sums<T>(shape.batch, shape.length, shape.kernel_size);
  const SumUnits few = cut_short_sums<T>(shape, tiling),
                 many = cut_long_sums<T>(shape, long_tiling);
  for (const SumUnits& units : {few, many}) {
    REQUIRE(units.parts >= 1);
    REQUIRE(units.parts <= units.items);
    REQUIRE(units.first_item(0) == 0);
    REQUIRE(units.first_item(units.parts) == units.items);
    for (std::int64_t p = 0; p < units.parts; ++p) {
      REQUIRE(units.first_item(p) < units.first_item(p + 1));
    }
  }
  const auto most = [](const SumUnits& units) { return conv_ceil_div(units.items, units.parts); };
  REQUIRE(most(few) * kConvVector<T> * kConvVectors <= kShortTerms);
  REQUIRE(most(many) * kConvSums<T> * long_tiling.stretches_per_thread() <= kLongTerms);
}

}  // namespace

TEST_CASE("every sample is one thread's, wherever its row begins") {
  for (const std::int64_t length : kLengths) {
    for (const std::int64_t rows : {1, 2, 5, 1000}) {
      INFO("length " << length << ", " << rows << " rows");
      check_short_coverage<float>(length, rows);
      check_short_coverage<double>(length, rows);
      check_short_coverage<bfloat16>(length, rows);
    }
  }
}

TEST_CASE("blocks are whole warps and no larger than allowed") {
  for (const std::int64_t length : kLengths) {
    for (const std::int64_t rows : {1, 2, 3, 4, 31, 32, 33, 100000}) {
      check_block(tile_short_rows<float>(length, rows), kConvThreads);
      check_block(tile_short_rows<double>(length, rows), kConvThreads);
      check_block(tile_short_rows<float16>(length, rows), kConvThreads);
    }
  }
  check_block(tile_short_rows<bfloat16>(std::int64_t{1} << 40, 1), kConvThreads);
}

TEST_CASE("few threads are idle, and few blocks are small") {
  for (std::int64_t length = 256; length < 70000; length += length / 100 + 1) {
    for (const std::int64_t shift : {-1, 0, 1}) {
      const RowTiling tiling = tile_short_rows<bfloat16>(length + shift, 4096);
      const double used = static_cast<double>(length) / 16;
      const double threads = static_cast<double>(tiling.tiles * tiling.threads);
      INFO("length " << length + shift << ": " << tiling.tiles << " x " << tiling.threads);
      CHECK(used / threads > 0.75);
      CHECK(tiling.threads * tiling.rows >= 96);
    }
  }
  // The shapes that are measured: powers of two leave nobody idle, and odd rows one tenth at most.
  for (const std::int64_t length : {512, 2048, 8192, 32768, 131072}) {
    const RowTiling even = tile_short_rows<bfloat16>(length, 4096);
    CHECK(even.tiles * even.threads * 16 == length);
    const RowTiling odd = tile_short_rows<bfloat16>(length - 1, 4096);
    CHECK(static_cast<double>(length) / static_cast<double>(odd.tiles * odd.threads * 16) > 0.87);
  }
}

TEST_CASE("long filters fit in shared memory, and cover all samples and taps") {
  for (const std::int64_t taps :
       {1, 9, 15, 16, 17, 31, 32, 33, 64, 100, 127, 128, 129, 200, 256, 257, 1000, 100000}) {
    for (const std::int64_t length : kLengths) {
      for (const std::int64_t rows : {1, 3, 70, 5000}) {
        INFO("length " << length << ", " << taps << " taps, " << rows << " rows");
        check_long<float>(length, taps, rows);
        check_long<double>(length, taps, rows);
        check_long<bfloat16>(length, taps, rows);
      }
    }
  }
}

TEST_CASE("sums are cut into parts of bounded length that cover everything") {
  for (const std::int64_t batch : {1, 2, 7, 64, 100000}) {
    for (const std::int64_t channels : {1, 3, 384, 768, 4096}) {
      for (const std::int64_t length : {1, 100, 2047, 2048, 33001, 262144}) {
        for (const std::int64_t taps : {4, 31, 128, 300}) {
          if (batch * channels * length > std::int64_t{1} << 31) continue;
          const DepthwiseConv1dShape shape{batch, channels, length, taps, 0, 0, 1, channels};
          INFO(batch << " x " << channels << " x " << length << ", " << taps << " taps");
          check_units<float>(shape);
          check_units<double>(shape);
          check_units<bfloat16>(shape);
        }
      }
    }
  }
}

TEST_CASE("a second pass is run only where the work is large or channels are few") {
  const auto parts = [](std::int64_t batch, std::int64_t channels, std::int64_t length) {
    const DepthwiseConv1dShape shape{batch, channels, length, 4, 3, 0, 1, channels};
    return cut_short_sums<bfloat16>(shape, tile_short_rows<bfloat16>(length, batch)).parts;
  };
  CHECK(parts(4, 768, 2048) == 1);
  CHECK(parts(1, 1536, 2048) == 1);
  CHECK(parts(8, 4096, 8192) == 2);
  CHECK(parts(1, 1536, 131072) == 6);
  CHECK(parts(1, 64, 262144) == 16);
  CHECK(parts(1, 1, 1 << 20) == 256);
}

TEST_CASE("sizes beyond 31 bits go to the kernels that count in 64") {
  const auto is_short = [](std::int64_t batch, std::int64_t channels, std::int64_t length,
                           std::int64_t offset, std::int64_t group_dim) {
    return is_short_filter({batch, channels, length, 4, 3, offset, group_dim, 1});
  };
  const std::int64_t billion = 1'000'000'000;
  CHECK(is_short(8, 4096, 8192, 0, 1));
  CHECK(is_short(1 << 20, 1024, 511, 0, 1));
  CHECK(is_short(1, 1000, 1 << 30, 0, 1));
  CHECK(is_short(1, 4, 16, 2 * billion, 4 * billion));
  CHECK_FALSE(is_short(1 << 20, 4096, 1, 0, 1));
  CHECK_FALSE(is_short(1, 1, 2 * billion, 0, 1));
  CHECK_FALSE(is_short(1, 4, 16, 4 * billion, 8 * billion));
  CHECK_FALSE(is_short(1 << 20, 1024, 1024, 0, 1));
}

TEST_CASE("only the layer's two paddings and at most 8 taps are short") {
  CHECK(is_short_filter({1, 1, 9, 8, 7, 0, 1, 1}));
  CHECK(is_short_filter({1, 1, 9, 8, 3, 0, 1, 1}));
  CHECK_FALSE(is_short_filter({1, 1, 9, 8, 4, 0, 1, 1}));
  CHECK_FALSE(is_short_filter({1, 1, 9, 9, 8, 0, 1, 1}));
}

TEST_CASE("grids keep to their limits") {
  for (const std::int64_t count :
       {std::int64_t{0}, std::int64_t{1}, std::int64_t{65536}, BlockGrid::kWidth,
        BlockGrid::kWidth + 1, std::int64_t{1} << 40}) {
    const BlockGrid grid(count);
    CHECK(grid.x <= 0x7fffffff);
    CHECK(grid.y <= 65535);
    CHECK(grid.x * grid.y >= count);
    CHECK((grid.y == 0 || grid.x * (grid.y - 1) < count));
  }
}

TEST_CASE("division by a known number is exact") {
  std::mt19937_64 random(1);
  const auto check = [](std::int64_t n, std::int64_t d) {
    REQUIRE(Divider(d).divide(n) == n / d);
    if (n <= kLargestNumber && d <= kLargestNumber) {
      REQUIRE(Divider(d).divide_small(static_cast<std::uint32_t>(n)) == n / d);
    }
  };
  for (int i = 0; i < 200000; ++i) {
    const std::int64_t n = static_cast<std::int64_t>(random() >> 1) >> (random() % 63);
    const std::int64_t d = (static_cast<std::int64_t>(random() >> 1) >> (random() % 63)) + 1;
    check(n, d);
    check(n / d * d, d);  // a multiple, and the number before it
    if (n >= d) check(n / d * d - 1, d);
  }
  for (const std::int64_t d : {std::int64_t{1}, std::int64_t{2}, std::int64_t{3}, kLargestNumber}) {
    for (const std::int64_t n :
         {std::int64_t{0}, std::int64_t{1}, kLargestNumber - 1, kLargestNumber}) {
      check(n, d);
    }
  }
}
