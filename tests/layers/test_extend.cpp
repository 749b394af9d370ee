// extend() over any cutting of a sequence is forward() over the whole.
#include <map>
#include <random>

#include "framework/ops/ops.h"
#include "framework/tensor/random.h"
#include "layers/hyena/lm.h"
#include "layers/hyena/online_conv.h"
#include "layers/registry.h"
#include "layers/sequential.h"
#include "tests/support/catch.h"
#include "tests/support/check_op.h"
#include "tests/support/slow.h"

namespace crocuta::test {
namespace {

struct Case {
  std::string config;    // without dtype
  Shape shape;           // of an input
  int time = 1;          // its dimension that is time
  std::int64_t ids = 0;  // above 0: the input holds ids below it
};

// One for every registered layer.
const std::map<std::string, Case>& cases() {
  static const std::map<std::string, Case> all = {
      {"DistributedDepthwiseConv1d",
       {R"("hidden_dim": 6, "kernel_size": 5, "num_groups": 3, "causal": true, "bias": true)",
        {2, 6, 150},
        2}},
      {"Embedding", {R"("num_embeddings": 7, "embedding_dim": 3)", {2, 9}, 1, 7}},
      {"HyenaBlock", {R"("d_model": 4, "l_max": 300, "filter_order": 8)", {2, 300, 4}}},
      {"HyenaLM",
       {R"("vocab_size": 7, "d_model": 4, "l_max": 260, "n_layers": 2, "filter_order": 8)",
        {2, 257},
        1,
        7}},
      {"HyenaOperator", {R"("d_model": 3, "l_max": 700, "filter_order": 8)", {1, 700, 3}}},
      {"LayerNorm", {R"("dim": 5)", {2, 8, 5}}},
      {"Linear", {R"("in_features": 3, "out_features": 4)", {2, 8, 3}}},
      {"MLP", {R"("d_model": 4)", {2, 8, 4}}},
  };
  return all;
}

std::unique_ptr<Layer> make(const std::string& name, const Case& c, DType dtype) {
  auto layer = make_layer(
      name, Config::parse("{" + c.config + R"(, "dtype": ")" + std::string(crocuta::name(dtype)) +
                          R"(", "device": ")" + crocuta::name(default_device()) + "\"}"));
  layer->eval();
  return layer;
}

Tensor input(const Case& c, DType dtype) {
  const Tensor x = sample(c.shape, -1, 1);
  if (c.ids == 0) return x.to(TensorOptions{dtype, default_device()});
  return ((x + 1.0) * (0.4999 * static_cast<double>(c.ids))).to(DType::int64).to(default_device());
}

// Lengths that add up to n, some of them 0.
std::vector<std::int64_t> random_cuts(std::int64_t n, std::mt19937& random) {
  const std::int64_t longest = std::int64_t{1} << (random() % 9);
  std::vector<std::int64_t> lengths;
  while (n > 0) {
    lengths.push_back(
        std::min<std::int64_t>(n, static_cast<std::int64_t>(random()) % (longest + 1)));
    n -= lengths.back();
  }
  return lengths;
}

Tensor in_pieces(Layer& layer, const Tensor& x, int time,
                 const std::vector<std::int64_t>& lengths) {
  State state(x.size(0));
  std::vector<Tensor> pieces;
  std::int64_t at = 0;
  for (const std::int64_t m : lengths) {
    pieces.push_back(layer.extend(narrow(x, time, at, m), state));
    at += m;
    CHECK(state.position() == at);
  }
  return cat(pieces, time);
}

double worst(const Tensor& a, const Tensor& b) {
  return max(abs(a.to(DType::float64) - b.to(DType::float64))).item() /
         max(abs(b.to(DType::float64))).item();
}

}  // namespace

TEST_CASE("every registered layer in pieces is the layer at once") {
  std::mt19937 random(5);
  for (const std::string& name : layer_names()) {
    CAPTURE(name);
    REQUIRE(cases().count(name) == 1);
    const Case& c = cases().at(name);
    for (const auto& [dtype, bound] : std::map<DType, double>{
             {DType::float64, 1e-12}, {DType::float32, 1e-5}, {DType::bfloat16, 0.1}}) {
      const auto layer = make(name, c, dtype);
      const Tensor x = input(c, dtype);
      const NoGrad no_grad;
      const Tensor whole = layer->forward(x);
      for (std::int64_t i = 0; i < repetitions(4, 1); ++i) {
        const auto lengths = random_cuts(x.size(c.time), random);
        CAPTURE(dtype, lengths);
        const Tensor y = in_pieces(*layer, x, c.time, lengths);
        CHECK(worst(y, whole) <= bound);
        // Each sample of it is one sum in an order of its own.
        if (name == "DistributedDepthwiseConv1d") CHECK(equal(y, whole));
      }
    }
  }
}

TEST_CASE("a long convolution, online, is the sum that defines it, for every length and cutting") {
  std::mt19937 random(7);
  for (int i = 0; i < repetitions(60, 20); ++i) {
    const auto L = 1 + static_cast<std::int64_t>(random() % (i % 3 < 2 ? 40 : 600));
    const auto limit = L + static_cast<std::int64_t>(random() % 40);
    const Tensor z = sample({2, 3, L}, -1, 1, 2 * i + 1), k = sample({3, limit}, -1, 1, 2 * i + 2);
    const Tensor whole = fft_conv(z, narrow(k, 1, 0, L));
    State::Kept kept;
    std::vector<Tensor> pieces;
    std::int64_t at = 0;
    const auto lengths = random_cuts(L, random);
    CAPTURE(L, limit, lengths);
    for (const std::int64_t m : lengths) {
      const auto taps = [&](std::int64_t n) { return narrow(k, 1, 0, n); };
      pieces.push_back(online_conv(narrow(z, 2, at, m), at, limit, taps, kept));
      at += m;
    }
    CHECK(worst(cat(pieces, 2), whole) < 1e-12);
  }
}

TEST_CASE("copies of a state go on by themselves") {
  const Case& c = cases().at("HyenaLM");
  const auto model = make("HyenaLM", c, DType::float64);
  const Tensor ids = input(c, DType::float64);
  State state(2);
  model->extend(narrow(ids, 1, 0, 100), state);
  State branch = state;
  const Tensor other = zeros({2, 5}, ids.options());
  model->extend(other, branch);  // must not be seen by the first
  const Tensor y = model->extend(narrow(ids, 1, 100, 30), state);
  const NoGrad no_grad;
  CHECK(worst(y, narrow(model->forward(narrow(ids, 1, 0, 130)), 1, 100, 30)) < 1e-12);
  CHECK(branch.position() == 105);
  const Tensor with_other = cat({narrow(ids, 1, 0, 100), other, narrow(ids, 1, 0, 1)}, 1);
  CHECK(worst(model->extend(narrow(ids, 1, 0, 1), branch),
              narrow(model->forward(with_other), 1, 105, 1)) < 1e-12);
  State assigned(1);
  assigned = state;
  CHECK(assigned.position() == 130);
  CHECK(assigned.bytes() == state.bytes());
}

TEST_CASE("dropout is off while decoding, and no graph is recorded") {
  HyenaBlock block(HyenaOptions{.d_model = 4, .l_max = 16, .filter_order = 8, .dropout = 0.5});
  const Tensor x = randn({1, 16, 4});
  State state(1);
  const Tensor y = block.extend(x, state);
  CHECK_FALSE(y.requires_grad());
  block.eval();
  const NoGrad no_grad;
  CHECK(worst(y, block.forward(x)) < 1e-5);
}

TEST_CASE("a state grows with the sequence, not with the longest one") {
  HyenaOptions options{.d_model = 8, .l_max = 1 << 20, .filter_order = 8};
  HyenaOperator op(options);
  State state(2);
  op.extend(randn({2, 100, 8}), state);
  CHECK(state.bytes() == 4 * 2 * 8 * 128);
}

TEST_CASE("what cannot be extended says so, and what is refused changes nothing") {
  class Mean : public Layer {
   public:
    Tensor forward(const Tensor& x, const ProcessGroup& = ProcessGroup::self()) override {
      return x - mean(x);
    }
  };
  State state(1);
  CHECK_THAT(message_of<ArgumentError>([&] {
               Mean().extend(ones({1, 2, 3}), state);
             }),
             ContainsSubstring("Mean does not say how it is extended"));
  DistributedDepthwiseConv1d same({.hidden_dim = 2, .kernel_size = 3});
  CHECK(message_of<ArgumentError>([&] {
          same.extend(ones({1, 2, 3}), state);
        }) == "extend: DistributedDepthwiseConv1d with causal false looks at samples to come");

  const auto model = make("HyenaLM", cases().at("HyenaLM"), DType::float64);
  const Tensor ids = zeros({1, 200}, {.dtype = DType::int64});
  model->extend(ids, state);
  CHECK(message_of<ShapeError>([&] { model->extend(ids, state); }) ==
        "HyenaLM: 'x': expected a length of at most l_max 260, got 400");
  CHECK_THROWS_AS(model->extend(full({1, 3}, 9, ids.options()), state), ArgumentError);
  CHECK(message_of<ShapeError>([&] {
          model->extend(zeros({2, 3}, ids.options()), state);
        }) == "extend: 'x': expected a batch of 1 sequences, got [2, 3]");
  const Tensor y = model->extend(narrow(ids, 1, 0, 60), state);
  CHECK(state.position() == 260);
  const NoGrad no_grad;
  const Tensor whole = model->forward(zeros({1, 260}, ids.options()));
  CHECK(worst(y, narrow(whole, 1, 200, 60)) < 1e-12);
  CHECK(message_of<ArgumentError>([] { State(-1); }) ==
        "State: 'batch': expected at least 0, got -1");
}

TEST_CASE("a state whose call has failed half-way refuses to be used") {
  Sequential net;
  net.append<DistributedDepthwiseConv1d>({.hidden_dim = 2, .kernel_size = 3, .causal = true});
  bool fails = true;
  net.append([&](const Tensor& x) {
    if (fails) throw OutOfMemory("none left");
    return x;
  });
  State state(1);
  const Tensor x = ones({1, 2, 4});
  CHECK_THROWS_AS(net.extend(x, state), OutOfMemory);
  fails = false;
  CHECK_THAT(message_of<Error>([&] { net.extend(x, state); }), ContainsSubstring("half-way"));
  State fresh(1);
  CHECK(net.extend(x, fresh).shape() == x.shape());
  CHECK(fresh.position() == 4);
}

}  // namespace crocuta::test
