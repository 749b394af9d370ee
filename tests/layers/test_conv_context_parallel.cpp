// DistributedDepthwiseConv1d on several ranks against one, on many configurations, each a pure
// function of its seed; CROCUTA_TEST_SEED=s tries the one of seed s alone.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <random>

#include "distributed/backends/threads.h"
#include "framework/ops/ops.h"
#include "framework/tensor/random.h"
#include "layers/distributed_depthwise_conv1d.h"
#include "tests/support/bits.h"
#include "tests/support/catch.h"
#include "tests/support/slow.h"

namespace crocuta::test {
namespace {

using Conv = DistributedDepthwiseConv1d;

std::uint64_t case_count() {
  return slow_here() ? 60 : 500;
}
constexpr int kRanks[] = {1, 2, 3, 4, 6, 8};
constexpr DType kFloats[] = {DType::float64, DType::float32, DType::bfloat16, DType::float16};

struct Case {
  Conv::Options options;
  std::int64_t batch, length;
  int ranks;
};

// Groups of any divisor of the channels, so that they are within ranks, straddle two, or span many.
Case draw_case(std::uint64_t seed) {
  std::mt19937_64 engine(seed);
  const auto up_to = [&](std::int64_t high) {
    return 1 + static_cast<std::int64_t>(engine() % static_cast<std::uint64_t>(high));
  };
  Case c;
  c.ranks = kRanks[seed % std::size(kRanks)];
  Conv::Options& o = c.options;
  o.hidden_dim = c.ranks * up_to(8);
  do {
    o.num_groups = up_to(o.hidden_dim);
  } while (o.hidden_dim % *o.num_groups != 0);
  o.kernel_size = up_to(3) == 1 ? up_to(70) : up_to(9);
  o.causal = up_to(2) == 1;
  o.bias = up_to(2) == 1;
  o.dtype = kFloats[up_to(3) == 1 ? up_to(4) - 1 : 0];
  c.batch = up_to(3);
  c.length = up_to(4) == 1 ? up_to(8) : up_to(150);
  return c;
}

std::string describe(const Case& c) {
  return str(c.options.dtype, ", P ", c.ranks, ", B ", c.batch, ", C ", c.options.hidden_dim,
             ", G ", *c.options.num_groups, ", K ", c.options.kernel_size, ", L ", c.length,
             c.options.causal ? ", causal" : ", same", c.options.bias ? ", bias" : "");
}

// What one rank, or all together, computed.
struct Results {
  Tensor y, dx, dweight, dbias;
};

Results run(const Conv::Options& options, const Tensor& x, const Tensor& dy,
            const ProcessGroup& cp = ProcessGroup::self()) {
  manual_seed(5);
  Conv conv(options);
  const std::int64_t channels = options.hidden_dim / cp.size();
  const auto mine = [&](const Tensor& t) { return narrow(t, 1, cp.rank() * channels, channels); };
  const Tensor input = mine(x).clone().set_requires_grad();
  const Tensor y = conv.forward(input, cp);
  y.backward(mine(dy).contiguous());
  return {y.detach(), input.grad(), conv.weight().grad(),
          conv.bias().defined() ? conv.bias().grad() : Tensor()};
}

double largest(const Tensor& x) {
  double result = 0;
  for (const double v : x.to_vector<double>()) result = std::max(result, std::fabs(v));
  return result;
}

// Where the summed parameter gradients are off by more than `tolerance`.
bool sums_agree(const std::vector<Tensor>& parts, const Tensor& whole, double tolerance) {
  if (!whole.defined()) return true;
  Tensor sum = zeros(whole.shape(), {.dtype = DType::float64});
  for (const Tensor& part : parts) sum = sum + part.to(DType::float64);
  return largest(sum - whole.to(DType::float64)) <= tolerance;
}

void check_case(std::uint64_t seed) {
  const Case c = draw_case(seed);
  INFO("CROCUTA_TEST_SEED=" << seed << ": " << describe(c));
  Generator generator{.seed = seed};
  const Shape shape = {c.batch, c.options.hidden_dim, c.length};
  const Tensor x = randn(shape, {.dtype = c.options.dtype}, generator);
  const Tensor dy = randn(shape, {.dtype = c.options.dtype}, generator);
  const Results whole = run(c.options, x, dy);
  std::vector<Results> parts(static_cast<std::size_t>(c.ranks));
  run_ranks(c.ranks, [&](const ProcessGroup& cp) {
    parts[static_cast<std::size_t>(cp.rank())] = run(c.options, x, dy, cp);
  });
  std::vector<Tensor> y, dx, dweight, dbias;
  for (const Results& part : parts) {
    y.push_back(part.y);
    dx.push_back(part.dx);
    dweight.push_back(part.dweight);
    dbias.push_back(part.dbias);
  }
  // Terms have a magnitude of about 1. A 16-bit gradient is rounded once per rank.
  const double terms = static_cast<double>(c.batch * c.length * c.options.hidden_dim) /
                       static_cast<double>(*c.options.num_groups);
  const double u = c.options.dtype == DType::float64    ? 1e-12
                   : c.options.dtype == DType::float32  ? 1e-6
                   : c.options.dtype == DType::bfloat16 ? 0x1p-8
                                                        : 0x1p-11;
  CHECK(same_bits(cat(y, 1), whole.y));
  CHECK(same_bits(cat(dx, 1), whole.dx));
  CHECK(sums_agree(dweight, whole.dweight, u * terms));
  CHECK(sums_agree(dbias, whole.dbias, u * terms));
}

}  // namespace

TEST_CASE("on P ranks y and dx have one rank's bits, and parameter gradients add up to its own") {
  if (const char* seed = std::getenv("CROCUTA_TEST_SEED")) {
    check_case(std::strtoull(seed, nullptr, 10));
    return;
  }
  for (std::uint64_t seed = 0; seed < case_count(); ++seed) check_case(seed);
}

TEST_CASE("the configurations cover groups within ranks, across two, and across many") {
  int within = 0, straddling = 0, spanning = 0;
  for (std::uint64_t seed = 0; seed < case_count(); ++seed) {
    const Case c = draw_case(seed);
    const std::int64_t channels = c.options.hidden_dim / c.ranks;
    const std::int64_t group = c.options.hidden_dim / *c.options.num_groups;
    if (c.ranks == 1) continue;
    if (channels % group == 0) {
      ++within;
    } else if (group > channels && group % channels == 0) {
      ++spanning;
    } else {
      ++straddling;
    }
  }
  CHECK(within > 5);
  CHECK(straddling > 5);
  CHECK(spanning > 5);
}

}  // namespace crocuta::test
