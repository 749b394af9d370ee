// How sums and rows are shared out among threads: within a GPU's limits, with nothing left out.
#include <algorithm>
#include <array>
#include <vector>

#include "kernels/cuda/toolbox/row.h"
#include "kernels/cuda/toolbox/sum.h"
#include "tests/support/catch.h"

using namespace crocuta;
using namespace crocuta::kernels;
using std::int64_t;

namespace {

const std::vector<int64_t> kNumbers = {1,    2,    3,     31,    32,         33,
                                       255,  256,  257,   1023,  1024,       1025,
                                       4096, 4099, 50257, 65537, 1000000007, int64_t{3} << 31};

struct CountLoad {
  using Number = float;
  static constexpr int kNumbers = 4;
};

int threads(const LaunchConfig& config) {
  return static_cast<int>(config.block.x * config.block.y * config.block.z);
}

template <class T>
void check_rows() {
  for (const int64_t rows : kNumbers) {
    for (const int64_t n : kNumbers) {
      plan_rows<T>(rows, n, [&](auto plan, const LaunchConfig& config) {
        using Plan = decltype(plan);
        INFO("rows " << rows << ", n " << n << ", " << sizeof(T) << " bytes");
        const int64_t teams = int64_t{config.grid.x} * config.block.y;
        CHECK((config.grid.x <= kMaxGridX && config.grid.y == 1));
        CHECK((teams >= rows || config.grid.x == kMaxGridX));
        CHECK((threads(config) <= Plan::kThreads && threads(config) % kWarpThreads == 0));
        const bool lanes = std::is_same_v<typename Plan::Team, LanesTeam>;
        CHECK((lanes ? kWarpThreads % config.block.x == 0 : config.block.y == 1));
        CHECK(n % Plan::kWidth == 0);
        const int64_t held = int64_t{Plan::kHeld} * Plan::kWidth * config.block.x;
        CHECK((Plan::kHeld == 0 || held >= n));
      });
    }
  }
}

}  // namespace

TEST_CASE("a plan for sums covers all columns and rows and fits a block") {
  for (const int64_t outer : kNumbers) {
    for (const int64_t n : kNumbers) {
      for (const int64_t groups : kNumbers) {
        if (static_cast<double>(outer) * static_cast<double>(n) * static_cast<double>(groups) >
            1e13) {
          continue;
        }
        const SumPlan plan = plan_sum(outer, n, groups, false, true);
        const bool fits = plan.columns >= 1 && plan.rows >= 1 && plan.outers >= 1 &&
                          plan.columns * plan.rows * plan.outers <= kBlockThreads &&
                          (plan.rows & (plan.rows - 1)) == 0;
        const bool covers = plan.columns * plan.column_blocks >= groups &&
                            plan.slices * plan.slice_rows >= n &&
                            (plan.slices - 1) * plan.slice_rows < n;
        const LaunchConfig config = sum_grid(plan);
        INFO("outer " << outer << ", n " << n << ", groups " << groups);
        CHECK((fits && covers));
        CHECK((config.grid.x >= 1 && config.grid.x <= kMaxGridX && config.grid.y == 1));
        // The workspace stays small beside what is summed, or small.
        const double results = static_cast<double>(outer) * static_cast<double>(groups);
        CHECK((plan.slices == 1 || static_cast<double>(sum_bytes<CountLoad>(plan)) <=
                                       std::max(8.0 * results * static_cast<double>(n) / 4, 1e6)));
      }
    }
  }
}

TEST_CASE("a plan for a long sum gives every multiprocessor something to do") {
  for (const auto& [outer, n, groups] :
       std::vector<std::array<int64_t, 3>>{{1, 25000000, 1}, {1, 65536, 64}, {4, 200000, 3}}) {
    const SumPlan plan = plan_sum(outer, n, groups, false, true);
    CHECK(sum_grid(plan).grid.x >= 500);
  }
}

TEST_CASE("sums of nothing run no block, and sums of no terms write zeros") {
  CHECK(sum_grid(plan_sum(0, 5, 5, false, true)).grid.x == 0);
  CHECK(sum_grid(plan_sum(5, 5, 0, false, true)).grid.x == 0);
  CHECK(sum_grid(plan_sum(5, 0, 5, false, true)).grid.x == 1);
}

TEST_CASE("a plan for rows fits a GPU") {
  check_rows<float>();
  check_rows<double>();
  check_rows<bfloat16>();
}

TEST_CASE("no rows run no block") {
  plan_rows<float>(0, 100, [](auto, const LaunchConfig& config) { CHECK(config.grid.x == 0); });
}
