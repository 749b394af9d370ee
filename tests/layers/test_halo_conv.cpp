#include "layers/halo_conv.h"

#include "distributed/backends/threads.h"
#include "distributed/gradient_sync.h"
#include "framework/ops/ops.h"
#include "layers/distributed_depthwise_conv1d.h"
#include "tests/support/catch.h"
#include "tests/support/check_op.h"

namespace crocuta::test {
namespace {

struct Case {
  int ranks;
  std::int64_t B, C, groups, K, L;
  Sharding sharding;
  bool bias;
  DType dtype = DType::float64;
};

Tensor values(Shape shape, std::uint64_t seed, DType dtype) {
  return sample(std::move(shape), -1, 1, seed).to(dtype).to(default_device());
}

struct Results {
  Tensor y, dx, dweight, dbias;
};

// What one rank computes of the whole.
Results alone(const Case& c) {
  const Tensor x = values({c.B, c.C, c.L}, 1, c.dtype),
               weight = values({c.groups, c.K}, 2, c.dtype);
  const Tensor bias = c.bias ? values({c.groups}, 3, c.dtype) : Tensor();
  x.set_requires_grad();
  weight.set_requires_grad();
  if (c.bias) bias.set_requires_grad();
  const Tensor y = depthwise_conv1d(x, weight, bias, {.causal = true});
  y.backward(values({c.B, c.C, c.L}, 4, c.dtype));
  return {y.detach(), x.grad(), weight.grad(), c.bias ? bias.grad() : Tensor()};
}

// The first thing that differs on a rank; "" if nothing does.
std::string differs(const Case& c, const Results& whole, const ProcessGroup& cp) {
  const auto part = [&](const Tensor& t) {
    return shard_sequence(t, 2, cp, c.sharding).contiguous().detach();
  };
  const Tensor x = part(values({c.B, c.C, c.L}, 1, c.dtype));
  const Tensor weight = values({c.groups, c.K}, 2, c.dtype);
  const Tensor bias = c.bias ? values({c.groups}, 3, c.dtype) : Tensor();
  x.set_requires_grad();
  weight.set_requires_grad();
  std::vector<Tensor> parameters = {weight};
  if (c.bias) parameters.push_back(bias.set_requires_grad());
  const Tensor y = halo_conv(x, weight, bias, cp, c.sharding);
  y.backward(part(values({c.B, c.C, c.L}, 4, c.dtype)));
  sync_gradients(parameters, cp);
  if (!equal(y.detach(), part(whole.y))) return "y";
  if (!equal(x.grad(), part(whole.dx))) return "dx";
  const double bound = c.dtype == DType::float64 ? 1e-12 : 1e-5;
  if (!allclose(weight.grad(), whole.dweight, bound, bound)) return "dweight";
  if (c.bias && !allclose(bias.grad(), whole.dbias, bound, bound)) return "dbias";
  return "";
}

}  // namespace

TEST_CASE("a convolution with halos has the bits of one rank, and its parameters' gradients") {
  for (const Case& c : std::vector<Case>{
           {1, 2, 4, 2, 3, 8, Sharding::contiguous, true},
           {2, 2, 4, 2, 3, 16, Sharding::contiguous, true},
           {2, 1, 3, 3, 1, 6, Sharding::contiguous, false},
           {3, 2, 2, 1, 4, 9, Sharding::contiguous, true},
           {4, 1, 6, 6, 5, 64, Sharding::contiguous, false, DType::float32},
           {2, 2, 4, 4, 3, 16, Sharding::zigzag, true},
           {3, 1, 2, 2, 2, 12, Sharding::zigzag, false},
           {4, 2, 3, 1, 3, 24, Sharding::zigzag, true, DType::float32},
           {2, 1, 8, 8, 31, 200, Sharding::contiguous, true},
       }) {
    CAPTURE(c.ranks, c.C, c.K, c.L, static_cast<int>(c.sharding));
    const Results whole = alone(c);
    std::vector<std::string> found(static_cast<std::size_t>(c.ranks));
    run_ranks(c.ranks, [&](const ProcessGroup& cp) {
      found[static_cast<std::size_t>(cp.rank())] = differs(c, whole, cp);
    });
    CHECK(found == std::vector<std::string>(static_cast<std::size_t>(c.ranks)));
  }
}

TEST_CASE("a halo moves K - 1 samples per chunk, and as many back") {
  CHECK_NOTHROW(run_ranks(4, [](const ProcessGroup& cp) {
    const Tensor x = sample({2, 3, 8}).set_requires_grad(), weight = sample({3, 5});
    cp.reset_stats();
    const Tensor y = halo_conv(x, weight, {}, cp);
    const auto moved = [&] { return cp.stats()[Collective::all_gather].elements; };
    if (moved() != 2 * 3 * 4) throw Error(str(moved(), " elements"));
    y.backward(ones(y.shape(), y.options()));
    if (moved() != 2 * 2 * 3 * 4) throw Error(str(moved(), " elements both ways"));
  }));
}

TEST_CASE("frozen parameters and inputs without a gradient are left alone") {
  CHECK_NOTHROW(run_ranks(2, [](const ProcessGroup& cp) {
    const Tensor x = sample({1, 2, 6}), weight = sample({2, 3}).set_requires_grad();
    cp.reset_stats();
    const Tensor y = halo_conv(x, weight, {}, cp);
    y.backward(ones(y.shape(), y.options()));
    if (cp.stats()[Collective::all_gather].calls != 1) throw Error("a halo went back");
    if (x.grad().defined() || !weight.grad().defined()) throw Error("the wrong gradients");
  }));
}

TEST_CASE("chunks that are shorter than the halo are refused") {
  CHECK(has_halo(4, 5, Sharding::contiguous));
  CHECK_FALSE(has_halo(3, 5, Sharding::contiguous));
  CHECK(has_halo(8, 5, Sharding::zigzag));
  CHECK_FALSE(has_halo(9, 5, Sharding::zigzag));
  CHECK(message_of<ShapeError>([] {
          halo_conv(ones({1, 2, 3}), ones({2, 5}), {}, ProcessGroup());
        }) == "halo_conv: 'x': expected chunks of at least K - 1 = 4 samples, got [1, 2, 3]");
  DistributedDepthwiseConv1d same({.hidden_dim = 2, .kernel_size = 3});
  CHECK(message_of<ArgumentError>([&] {
          same.on_sequence_shards(ones({1, 2, 4}), ProcessGroup());
        }) == "DistributedDepthwiseConv1d: 'causal': expected true for sequence shards, got false");
}

}  // namespace crocuta::test
