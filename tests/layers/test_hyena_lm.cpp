#include "layers/hyena/lm.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "framework/ops/ops.h"
#include "framework/tensor/autograd.h"
#include "framework/tensor/random.h"
#include "tests/layers/layer_checks.h"
#include "tests/support/catch.h"
#include "tests/support/check_op.h"

namespace crocuta::test {
namespace {

constexpr DType kF64 = DType::float64;

HyenaLM::Options options(std::int64_t vocab_size, std::int64_t d_model, std::int64_t n_layers,
                         std::int64_t l_max, DType dtype = DType::float32) {
  return {.vocab_size = vocab_size,
          .hyena = {.d_model = d_model, .l_max = l_max, .n_layers = n_layers, .dtype = dtype}};
}

HyenaLM::Options small(DType dtype = kF64) {
  HyenaLM::Options o = options(7, 4, 2, 24, dtype);
  o.hyena.filter_order = 6;
  return o;
}

Tensor ids(std::int64_t B, std::int64_t L, std::int64_t V) {
  std::vector<std::int64_t> values;
  for (std::int64_t i = 0; i < B * L; ++i) values.push_back((i * i + 3 * i) % V);
  return from_vector(values, {B, L});
}

}  // namespace

TEST_CASE("all registered layers are there") {
  CHECK(layer_names() == std::vector<std::string>{"DistributedDepthwiseConv1d", "Embedding",
                                                  "HyenaBlock", "HyenaLM", "HyenaOperator",
                                                  "LayerNorm", "Linear", "MLP"});
}

TEST_CASE("models have the published numbers of parameters") {
  CHECK(HyenaLM(options(30, 64, 2, 64)).parameter_count() == 129'408);
  CHECK(HyenaLM(options(16, 128, 2, 1024)).parameter_count() == 436'096);
}

TEST_CASE("the state's names are embedding, blocks.<i> and norm") {
  std::set<std::string> roots;
  const StateDict state = HyenaLM(small()).state_dict();
  for (const auto& [name, tensor] : state) {
    roots.insert(name.substr(0, name.find('.', name.rfind("blocks.", 0) == 0 ? 7 : 0)));
  }
  CHECK(roots == std::set<std::string>{"embedding", "blocks.0", "blocks.1", "norm"});
  CHECK(state.at("embedding.weight").shape() == Shape{7, 4});
  CHECK(state.at("norm.weight").shape() == Shape{4});
  CHECK(state.at("norm.bias").shape() == Shape{4});
  CHECK(state.at("blocks.1.mixer.filter.layers.3.weight").shape() == Shape{4, 6});
  CHECK(state.size() == 3 + 2 * 23);
}

TEST_CASE("models are made from JSON with their defaults") {
  const auto model = layer_from_json(
      "HyenaLM", R"({"vocab_size": 30, "d_model": 64, "l_max": 64, "n_layers": 2})");
  CHECK(model->parameter_count() == 129'408);
  const auto other = layer_from_json("HyenaLM", R"({
      "vocab_size": 5, "d_model": 4, "l_max": 8, "n_layers": 1, "filter_order": 3, "emb_dim": 7,
      "w": 2.5, "d_inner": 6, "dropout": 0.5, "dtype": "bfloat16", "device": "auto"})");
  const StateDict state = other->state_dict();
  CHECK(state.at("blocks.0.mlp.fc1.weight").shape() == Shape{6, 4});
  CHECK(state.at("blocks.0.mixer.filter.layers.0.weight").shape() == Shape{3, 7});
  CHECK(state.at("blocks.0.mixer.filter.freq").to_vector() == std::vector<float>{2.5, 2.5, 2.5});
  CHECK(state.at("norm.bias").dtype() == DType::bfloat16);
  const Tensor x = ids(1, 8, 5);
  CHECK(other->forward(x).to_vector() != other->forward(x).to_vector());  // dropout is on
}

TEST_CASE("model configurations that do not fit are refused with the key") {
  const auto error = [](const std::string& change) {
    Config config = Config::parse(R"({"vocab_size": 5, "d_model": 4, "l_max": 8, "n_layers": 1})");
    config.set(change);
    return message_of<ArgumentError>([&] { make_layer("HyenaLM", config); });
  };
  CHECK_THAT(error("vocab_size=null"), ContainsSubstring("'vocab_size'"));
  CHECK_THAT(error("n_layers=null"), ContainsSubstring("'n_layers'"));
  CHECK_THAT(error("l_max=-1"), ContainsSubstring("'l_max'"));
  CHECK_THAT(error("emb_dim=4"), ContainsSubstring("'emb_dim'") && ContainsSubstring("odd"));
  CHECK_THAT(error("emb_dim=1"), ContainsSubstring("'emb_dim'"));
  CHECK_THAT(error("dropout=1"), ContainsSubstring("'dropout'"));
  CHECK_THAT(error("w=high"), ContainsSubstring("'w'"));
  CHECK_THAT(error("d_modle=4"), ContainsSubstring("'d_modle'") && ContainsSubstring("'d_model'"));
}

TEST_CASE("logits do not depend on later ids") {
  HyenaLM model(small());
  randomize(model);
  const Tensor x = ids(1, 24, 7);
  const auto before = model.forward(x).to_vector<double>();
  double scale = 0;
  for (const double v : before) scale = std::max(scale, std::abs(v));
  for (const std::int64_t t : {1, 12, 23}) {
    CAPTURE(t);
    auto changed = x.to_vector<std::int64_t>();
    changed[static_cast<std::size_t>(t)] = (changed[static_cast<std::size_t>(t)] + 1) % 7;
    const auto after = model.forward(from_vector(changed, {1, 24})).to_vector<double>();
    double past = 0, present = 0;
    for (std::size_t i = 0; i < after.size(); ++i) {
      double& worst = i < static_cast<std::size_t>(t * 7) ? past : present;
      worst = std::max(worst, std::abs(after[i] - before[i]));
    }
    CHECK(past <= 1e-13 * scale);
    CHECK(present > 1e-3 * scale);
  }
}

TEST_CASE("weight decay is for the linear maps of the blocks only") {
  const HyenaLM model(small());
  const HyenaLM::Groups groups = model.parameter_groups();
  std::set<std::string> decay;
  for (const NamedTensor& p : groups.decay) decay.insert(p.name);
  std::set<std::string> expected;
  for (const std::string block : {"blocks.0.", "blocks.1."}) {
    for (const char* name : {"mixer.in_proj", "mixer.out_proj", "mlp.fc1", "mlp.fc2"}) {
      expected.insert(block + name + ".weight");
    }
  }
  CHECK(decay == expected);
  CHECK(groups.decay.size() + groups.no_decay.size() == model.parameters().size());
}

TEST_CASE("a model starts with the same numbers in every dtype, up to rounding") {
  const auto state = [](DType dtype) {
    manual_seed(17);
    return HyenaLM(small(dtype)).state_dict();
  };
  const StateDict exact = state(kF64);
  for (const DType dtype : {DType::float32, DType::bfloat16, DType::float16}) {
    for (const auto& [name, tensor] : state(dtype)) {
      CAPTURE(name);
      const auto a = tensor.to_vector<double>(), b = exact.at(name).to_vector<double>();
      double worst = 0;
      for (std::size_t i = 0; i < a.size(); ++i) {
        worst = std::max(worst, std::abs(a[i] - b[i]) - epsilon(dtype) * std::abs(b[i]));
      }
      CHECK(worst <= (dtype == DType::float16 ? 0x1p-25 : 0));
    }
  }
}

TEST_CASE("a model at its start predicts nearly nothing, in every dtype") {
  for (const DType dtype : {DType::float32, kF64, DType::bfloat16, DType::float16}) {
    CAPTURE(name(dtype));
    manual_seed(17);
    HyenaLM model(small(dtype));
    const Tensor y = model.forward(ids(2, 24, 7));
    CHECK(y.dtype() == dtype);
    manual_seed(17);
    CHECK(close(y, HyenaLM(small()).forward(ids(2, 24, 7)), 64 * epsilon(dtype)));
    const Tensor loss = cross_entropy(y, ids(2, 24, 7));
    // A logit is a row of the embedding, of standard deviation 0.02, times one of length 2: 0.04.
    CHECK(std::abs(loss.item() - std::log(7)) < 0.1);
    loss.backward();
    for (const NamedTensor& p : model.named_parameters()) {
      CAPTURE(p.name);
      CHECK(p.tensor.grad().defined());
    }
  }
}

TEST_CASE("empty inputs give empty logits") {
  HyenaLM model(small());
  const TensorOptions int64{.dtype = DType::int64};
  CHECK(model.forward(zeros({0, 5}, int64)).shape() == Shape{0, 5, 7});
  CHECK(model.forward(zeros({3, 0}, int64)).shape() == Shape{3, 0, 7});
}

TEST_CASE("the model says what is wrong with its ids") {
  HyenaLM model(small());
  const TensorOptions int64{.dtype = DType::int64};
  CHECK(message_of<DTypeError>([&] {
          model.forward(zeros({1, 4}));
        }) == "HyenaLM: 'x': expected int64 ids, got float32");
  CHECK(message_of<ShapeError>([&] { model.forward(zeros({4}, int64)); }) ==
        "HyenaLM: 'x': expected ids [B, L], got [4]");
  CHECK(message_of<ShapeError>([&] {
          model.forward(zeros({1, 25}, int64));
        }) == "HyenaLM: 'x': expected a length of at most l_max 24, got 25");
  const Tensor bad = from_vector<std::int64_t>({0, 6, 7, -1}, {1, 4});
  CHECK_THAT(message_of<ArgumentError>([&] { model.forward(bad); }),
             ContainsSubstring("[0, 7)") && ContainsSubstring("got 7 at [0, 2]"));
}

}  // namespace crocuta::test
