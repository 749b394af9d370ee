#include "layers/hyena/block.h"

#include <cmath>
#include <set>

#include "distributed/backends/threads.h"
#include "framework/ops/ops.h"
#include "framework/tensor/autograd.h"
#include "framework/tensor/random.h"
#include "tests/layers/hyena_oracle.h"
#include "tests/layers/layer_checks.h"
#include "tests/support/catch.h"
#include "tests/support/check_op.h"

namespace crocuta::test {
namespace {

constexpr DType kF64 = DType::float64;

HyenaOptions options(std::int64_t d_model, std::int64_t l_max) {
  return {.d_model = d_model, .l_max = l_max, .filter_order = 6, .dtype = kF64};
}

// Whether each element of the residual updates was dropped, [B, L, d] in training: the block with
// everything but one bias zero adds that bias, or nothing.
std::vector<double> added(const HyenaOptions& o, const ProcessGroup& cp, const Shape& shape,
                          std::int64_t first_sequence) {
  HyenaBlock block(o);
  for (const NamedTensor& p : block.named_parameters()) {
    const NoGrad no_grad;
    p.tensor.fill_(p.name == "mlp.fc2.bias" ? 1 : 0);
  }
  block.set_first_sequence(first_sequence);
  manual_seed(42);
  const Tensor x = zeros(shape, {.dtype = kF64});
  const NoGrad no_grad;
  return unshard(block.forward(x, cp), 1, cp, o.sharding).to_vector<double>();
}

}  // namespace

TEST_CASE("the block is the formula") {
  for (const std::int64_t L : {1, 13, 40}) {
    CAPTURE(L);
    HyenaOptions o = options(3, 40);
    o.d_inner = L == 13 ? 5 : 0;
    HyenaBlock layer(o);
    randomize(layer);
    const Tensor x = sample({2, L, 3});
    CHECK(close(layer.forward(x).to_vector<double>(),
                oracle_block(layer.state_dict(), o, x.to_vector<double>(), 2, L), 1e-12));
  }
}

TEST_CASE("the gradient with dropout is the derivative") {
  HyenaOptions o = options(3, 16);
  o.dropout = 0.4;
  HyenaBlock layer(o);
  randomize(layer);
  CHECK(module_gradient_mismatch(layer, sample({2, 9, 3}), [&](const Tensor& x) {
          manual_seed(5);
          return layer.forward(x);
        }) == "");
}

TEST_CASE("the block's parameters have the names of the published state") {
  std::set<std::string> names;
  for (const auto& [name, tensor] : HyenaBlock(options(2, 4)).state_dict()) names.insert(name);
  CHECK(names == std::set<std::string>{"norm1.weight",
                                       "norm1.bias",
                                       "norm2.weight",
                                       "norm2.bias",
                                       "mlp.fc1.weight",
                                       "mlp.fc1.bias",
                                       "mlp.fc2.weight",
                                       "mlp.fc2.bias",
                                       "mixer.in_proj.weight",
                                       "mixer.in_proj.bias",
                                       "mixer.short_conv.weight",
                                       "mixer.short_conv.bias",
                                       "mixer.out_proj.weight",
                                       "mixer.out_proj.bias",
                                       "mixer.filter.layers.0.weight",
                                       "mixer.filter.layers.0.bias",
                                       "mixer.filter.layers.1.weight",
                                       "mixer.filter.layers.1.bias",
                                       "mixer.filter.layers.2.weight",
                                       "mixer.filter.layers.2.bias",
                                       "mixer.filter.layers.3.weight",
                                       "mixer.filter.freq",
                                       "mixer.filter.skip"});
}

TEST_CASE("the last map of each branch starts smaller, the more blocks there are") {
  manual_seed(2);
  HyenaOptions o = options(32, 4);
  o.n_layers = 50;
  const StateDict p = HyenaBlock(o).state_dict();
  const auto variance = [&](const char* name) { return mean(p.at(name) * p.at(name)).item(); };
  CHECK(std::abs(variance("mlp.fc1.weight") / 4e-4 - 1) < 0.12);  // 5 sigma
  CHECK(std::abs(variance("mlp.fc2.weight") / 4e-6 - 1) < 0.12);
  CHECK(std::abs(variance("mixer.out_proj.weight") / 4e-6 - 1) < 0.23);
}

TEST_CASE("dropout acts in training only, with its probability") {
  HyenaOptions o = options(4, 64);
  o.dropout = 0.25;
  const std::vector<double> y = added(o, ProcessGroup(), {8, 64, 4}, 0);
  double dropped = 0;
  for (const double v : y) {
    CHECK((v == 0 || v == 1 / 0.75));
    dropped += v == 0;
  }
  CHECK(std::abs(dropped / 2048 - 0.25) < 0.048);  // 5 sigma
  HyenaBlock block(o);
  block.train(false);
  const Tensor x = sample({2, 8, 4});
  CHECK(block.forward(x).to_vector<double>() == block.forward(x).to_vector<double>());
  block.train(true);
  CHECK(block.forward(x).to_vector<double>() != block.forward(x).to_vector<double>());
}

TEST_CASE("what is dropped does not depend on how the batch is divided") {
  for (const Sharding sharding : {Sharding::contiguous, Sharding::zigzag}) {
    HyenaOptions o = options(12, 24);
    o.dropout = 0.5;
    o.sharding = sharding;
    const std::vector<double> whole = added(o, ProcessGroup(), {4, 24, 12}, 0);
    for (const int P : {2, 3, 4}) {
      run_ranks(P, [&](const ProcessGroup& cp) {
        if (added(o, cp, {4, 24 / P, 12}, 0) != whole) {
          throw Error(str("other elements are dropped on ", P, " ranks"));
        }
      });
    }
    // The last two sequences alone, as another rank of a data-parallel group has them.
    const std::vector<double> half(whole.begin() + 2 * 24 * 12, whole.end());
    CHECK(added(o, ProcessGroup(), {2, 24, 12}, 2) == half);
    CHECK(added(o, ProcessGroup(), {2, 24, 12}, 0) != half);
  }
}

TEST_CASE("a block moves 2 or 4 * B * d * L / P elements in a forward pass, and as many back") {
  for (const auto& [P, algorithm, units, halo] :
       std::vector<std::tuple<int, CpAlgorithm, std::int64_t, std::int64_t>>{
           {1, CpAlgorithm::automatic, 0, 0},
           {2, CpAlgorithm::automatic, 2, 6},
           {4, CpAlgorithm::automatic, 2, 6},
           {2, CpAlgorithm::channels, 4, 0},
           {4, CpAlgorithm::channels, 4, 0}}) {
    CAPTURE(P, units);
    CHECK_NOTHROW(run_ranks(
        P, [&, units = units, halo = halo, P = P, algorithm = algorithm](const ProcessGroup& cp) {
          constexpr std::int64_t B = 3, d = 8, L = 16;
          HyenaOptions o = options(d, L);
          o.cp_algorithm = algorithm;
          HyenaBlock block(o);
          const Tensor x = sample({B, L / cp.size(), d});
          x.set_requires_grad();
          cp.reset_stats();
          const Tensor y = block.forward(x, cp);
          const auto moved = [&] {
            std::uint64_t elements = 0;
            for (int c = 0; c < kCollectives; ++c) {
              elements += cp.stats()[static_cast<Collective>(c)].elements;
            }
            return elements;
          };
          const auto expected =
              static_cast<std::uint64_t>(units * B * d * L / cp.size() + halo * B * d);
          if (moved() != expected) throw Error(str(moved(), " elements on ", P, " ranks"));
          cp.reset_stats();
          y.backward(ones(y.shape(), y.options()));
          if (moved() != expected) throw Error(str(moved(), " elements back on ", P, " ranks"));
        }));
  }
}

TEST_CASE("the block says what is wrong with its options") {
  HyenaOptions o = options(4, 8);
  o.dropout = 1;
  CHECK(message_of<ArgumentError>([&] { HyenaBlock{o}; }) ==
        "HyenaBlock: 'dropout': expected a number of at least 0 and below 1, got 1");
  o = options(0, 8);
  CHECK(message_of<ArgumentError>([&] { HyenaBlock{o}; }) ==
        "HyenaBlock: 'd_model': expected an integer from 1 to 1099511627776, got 0");
  o = options(4, 8);
  o.n_layers = 0;
  CHECK(message_of<ArgumentError>([&] { HyenaBlock{o}; }) ==
        "HyenaBlock: 'n_layers': expected an integer from 1 to 1099511627776, got 0");
}

}  // namespace crocuta::test
