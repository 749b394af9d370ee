#include <algorithm>
#include <cmath>

#include "framework/tensor/autograd.h"
#include "tests/cases/declared.h"
#include "tests/layers/hyena_oracle.h"
#include "tests/layers/layer_checks.h"

namespace crocuta::test {
namespace {

using std::int64_t;

constexpr char kRange[] = "an integer from 1 to 1099511627776";

// `options` are the members of a JSON object.
std::unique_ptr<Layer> make(const char* name, const std::string& options, TensorOptions tensors) {
  return layer_from_json(name, str("{", options, R"(, "dtype": ")", crocuta::name(tensors.dtype),
                                   R"(", "device": ")", crocuta::name(tensors.device), "\"}"));
}

// The layer as an op: of x and, in the order of named_parameters(), its parameters, whose dtype and
// device are the layer's. Like an op's, gradients flow to those that ask for one.
Fn as_op(const char* name, const std::string& options) {
  return [=](const Tensors& in) {
    const std::shared_ptr<Layer> layer = make(name, options, in.back().options());
    const Tensors parameters = layer->parameters();
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      const NoGrad no_grad;
      parameters[i].copy_(in[i + 1].detach());
      parameters[i].set_requires_grad(in[i + 1].requires_grad());
    }
    const Tensor x = in[0].detach();
    x.set_requires_grad(in[0].requires_grad());
    const Tensor y = layer->forward(x);
    return record(name, y.detach(), in, [=](const Tensor& dy) -> Grads {
      y.backward(dy);
      Grads grads = {x.grad()};
      for (const Tensor& p : layer->parameters()) grads.push_back(p.grad());
      return grads;
    });
  };
}

// The layer's output by plain loops, in float64.
using Oracle = std::function<Tensor(const StateDict& parameters, const Tensor& x)>;

OpCheck sample_of(const char* name, const std::string& options, const Tensor& x,
                  const Oracle& oracle) {
  const auto layer = make(name, options, {DType::float64, default_device()});
  randomize(*layer);
  Tensors inputs = {x};
  std::vector<std::string> names;
  for (const NamedTensor& p : layer->named_parameters()) {
    inputs.push_back(p.tensor.clone());
    names.push_back(p.name);
  }
  return {
      .name = str(name, " {", options, "} of ", to_string(x.shape())),
      .fn = as_op(name, options),
      .oracle =
          [=](const Tensors& in) {
            StateDict parameters;
            for (std::size_t i = 0; i < names.size(); ++i) parameters[names[i]] = in[i + 1];
            return oracle(parameters, in[0]);
          },
      .inputs = inputs,
      // A filter's sines make much of a rounding error, and an FFT spreads it: gradients were off
      // by up to 24 roundings on a CPU, 50 emulated and 72 on an H100.
      .rounding = std::string_view(name).starts_with("Hyena") ? 144.0 : 64.0,
      .scale = 2,
      // Sums over positions, of terms of either sign.
      .gradient_scale = 4 + std::sqrt(static_cast<double>(x.numel())),
      .steps = 8,
      .expanded = 1,  // parameters are copied into the layer
      .gradient = {.step = 1e-4, .elements = 1}};
}

Values get(const StateDict& p, const char* name) {
  return p.count(name) ? p.at(name).to_vector<double>() : Values{};
}
Tensor with_last(const Values& y, Shape shape, int64_t last) {
  shape.back() = last;
  return from_vector(y, std::move(shape));
}

// make_layer() with these options, and forward() on zeros, and what is wrong with them.
template <class E>
Refusal refused_options(const char* name, const std::string& options, const std::string& message) {
  return refusal<E>(message, [=] { make_layer(name, Config::parse(str("{", options, "}"))); });
}
template <class E = ShapeError>
Refusal refused_input(const char* name, const std::string& options, const Shape& x,
                      const std::string& what, DType dtype = DType::float32) {
  return refusal<E>(str(name, ": 'x': expected ", what), [=] {
    make(name, options, {DType::float32, default_device()})->forward(zeros(x, {.dtype = dtype}));
  });
}

// What is wrong with an x that does not lie where the parameters do.
std::vector<Refusal> refused_devices(const char* name, const std::string& options, const Shape& x,
                                     const std::string& whose, DType dtype = DType::float32) {
  std::vector<Refusal> list;
  for (const Device here : test_devices()) {
    for (const Device there : test_devices()) {
      if (here == there) continue;
      list.push_back(refusal<DeviceError>(
          str(name, ": 'x': expected the ", whose, " device ", here, ", got ", there), [=] {
            make(name, options, {DType::float32, here})->forward(zeros(x, {dtype, there}));
          }));
    }
  }
  return list;
}

// A layer over the last dimension of x, of which `size` elements come and `out` go.
struct OverRows {
  const char* name;
  std::string options;
  int64_t size;
  Oracle oracle;
};
Declared over_rows(const OverRows& layer, const std::vector<Refusal>& refusals) {
  const auto of = [=](Shape shape) {
    shape.push_back(layer.size);
    return sample_of(layer.name, layer.options, sample(shape), layer.oracle);
  };
  Declared d{.name = layer.name};
  d.samples = {of({3, 7}), of({}), of({1}), of({2, 3, 5}), of({0}), of({2, 0})};
  d.sized = [=, size = layer.size](int64_t n) { return of({n / size}); };
  d.refusals = refusals;
  const std::string expected = str("[.., ", layer.size, "], got ");
  d.refusals.push_back(refused_input(layer.name, layer.options, {2, layer.size + 1},
                                     str(expected, "[2, ", layer.size + 1, "]")));
  d.refusals.push_back(refused_input(layer.name, layer.options, {}, str(expected, "[]")));
  d.refusals.push_back(refused_input<DTypeError>(layer.name, layer.options, {layer.size},
                                                 "the parameters' dtype float32, got float64",
                                                 DType::float64));
  for (Refusal& r : refused_devices(layer.name, layer.options, {layer.size}, "parameters'")) {
    d.refusals.push_back(std::move(r));
  }
  return d;
}

Tensor linear_oracle(const StateDict& p, const Tensor& x) {
  const int64_t in = p.at("weight").size(1), out = p.at("weight").size(0);
  return with_last(oracle_linear(x.to_vector<double>(), get(p, "weight"), get(p, "bias"), in),
                   x.shape(), out);
}

// A child of the parameters `p` applied to rows of `in` numbers.
Values child(const StateDict& p, const std::string& name, const Values& x, int64_t in) {
  const StateDict own = under(p, name);
  return oracle_linear(x, get(own, "weight"), get(own, "bias"), in);
}

Declared declared_linear() {
  const char* const name = "Linear";
  Declared d =
      over_rows({name, R"("in_features": 5, "out_features": 3)", 5, linear_oracle},
                {refused_options<ArgumentError>(
                     name, R"("in_features": 0, "out_features": 3)",
                     str("configuration: line 1: 'in_features': expected ", kRange, ", got 0")),
                 refused_options<ArgumentError>(name, R"("in_features": 3)",
                                                "configuration: 'out_features': expected a value, "
                                                "the key being required, got nothing")});
  d.samples.push_back(sample_of(name, R"("in_features": 5, "out_features": 9, "bias": false)",
                                sample({4, 5}), linear_oracle));
  return d;
}

Declared declared_layer_norm() {
  const auto oracle = [](const StateDict& p, const Tensor& x) {
    return from_vector(oracle_layer_norm(x.to_vector<double>(), p, x.size(-1)), x.shape());
  };
  return over_rows({"LayerNorm", R"("dim": 7)", 7, oracle},
                   {refused_options<ArgumentError>(
                        "LayerNorm", R"("dim": -2)",
                        str("configuration: line 1: 'dim': expected ", kRange, ", got -2")),
                    refused_options<ArgumentError>(
                        "LayerNorm", R"("dim": 3, "eps": -1)",
                        "configuration: line 1: 'eps': expected a number of at least 0, got -1")});
}

Declared declared_mlp() {
  const auto oracle = [](const StateDict& p, const Tensor& x) {
    Values inner = child(p, "fc1", x.to_vector<double>(), x.size(-1));
    for (double& z : inner) z = oracle_gelu(z);
    return from_vector(child(p, "fc2", inner, p.at("fc1.bias").size(0)), x.shape());
  };
  Declared d =
      over_rows({"MLP", R"("d_model": 5, "d_inner": 7)", 5, oracle},
                {refused_options<ArgumentError>(
                    "MLP", R"("d_model": 2, "d_inner": -2)",
                    str("configuration: line 1: 'd_inner': expected ", kRange, ", got -2"))});
  d.samples.push_back(sample_of("MLP", R"("d_model": 3)", sample({2, 3}), oracle));
  return d;
}

Declared declared_gated_mlp() {
  const auto oracle = [](const StateDict& p, const Tensor& x) {
    const Values in = x.to_vector<double>();
    Values inner = child(p, "gate", in, x.size(-1));
    const Values up = child(p, "up", in, x.size(-1));
    for (std::size_t i = 0; i < inner.size(); ++i) {
      inner[i] = inner[i] / (1 + std::exp(-inner[i])) * up[i];
    }
    return from_vector(child(p, "down", inner, p.at("down.weight").size(1)), x.shape());
  };
  return over_rows(
      {"GatedMLP", R"("d_model": 5, "d_inner": 7)", 5, oracle},
      {refused_options<ArgumentError>("GatedMLP", R"("d_model": 4, "d_inner": 6, "d_iner": 6)",
                                      "configuration: line 1: unknown key 'd_iner' (did you mean "
                                      "'d_inner'?)")});
}

Declared declared_embedding_layer() {
  const char* const name = "Embedding";
  const std::string options = R"("num_embeddings": 9, "embedding_dim": 5)";
  const auto oracle = [](const StateDict& p, const Tensor& x) {
    const Values table = get(p, "weight");
    Values y;
    for (const int64_t id : x.to_vector<int64_t>()) {
      for (int64_t i = 0; i < 5; ++i) y.push_back(table[index(id * 5 + i)]);
    }
    Shape shape = x.shape();
    shape.push_back(5);
    return from_vector(y, shape);
  };
  const auto of = [=](const Shape& ids) {
    return sample_of(name, options, sample_ids(ids, 9), oracle);
  };
  Declared d{.name = name,
             .samples = {of({2, 7}), of({}), of({0}), of({3, 0})},
             .sized = [=](int64_t n) { return of({n / 5}); }};
  d.refusals = refused_devices(name, options, {2}, "parameters'", DType::int64);
  d.refusals.push_back(refused_input<DTypeError>(name, options, {2}, "int64 ids, got float32"));
  d.refusals.push_back(
      refusal<ArgumentError>("embedding: 'ids': expected values in [0, 9), got 9 at [9]", [=] {
        make(name, options, {DType::float32, default_device()})->forward(arange(10));
      }));
  d.refusals.push_back(refused_options<ArgumentError>(
      name, R"("num_embeddings": 0, "embedding_dim": 5)",
      str("configuration: line 1: 'num_embeddings': expected ", kRange, ", got 0")));
  return d;
}

Declared declared_conv() {
  const char* const name = "DistributedDepthwiseConv1d";
  const auto of = [=](const std::string& options, bool causal, const Shape& x) {
    const auto oracle = [=](const StateDict& p, const Tensor& input) {
      Tensors in = {input, p.at("weight")};
      if (p.count("bias")) in.push_back(p.at("bias"));
      return depthwise_oracle(in, {.causal = causal});
    };
    return sample_of(name, options, sample(x), oracle);
  };
  const std::string all =
      R"("hidden_dim": 6, "kernel_size": 4, "causal": true, "num_groups": 2, "bias": true)";
  Declared d{.name = name};
  d.samples = {of(all, true, {2, 6, 9}),
               of(all, true, {0, 6, 9}),
               of(all, true, {2, 6, 0}),
               of(all, true, {1, 6, 1}),
               of(R"("hidden_dim": 3, "kernel_size": 8)", false, {2, 3, 5}),
               of(R"("hidden_dim": 5, "kernel_size": 1, "num_groups": 1)", false, {1, 5, 7})};
  d.sized = [=](int64_t n) { return of(all, true, {2, 6, n / 12}); };
  const auto refused = [=](const std::string& options, const std::string& what) {
    return refused_options<ArgumentError>(name, options, str(name, ": ", what));
  };
  d.refusals = refused_devices(name, all, {2, 6, 5}, "weight's");
  for (const Refusal& r :
       {refused(R"("hidden_dim": 0, "kernel_size": 3)", "'hidden_dim': expected at least 1, got 0"),
        refused(R"("hidden_dim": 4, "kernel_size": -2)",
                "'kernel_size': expected at least 1, got -2"),
        refused(R"("hidden_dim": 4, "kernel_size": 3, "num_groups": 0)",
                "'num_groups': expected at least 1, got 0"),
        refused(R"("hidden_dim": 4, "kernel_size": 3, "num_groups": 3)",
                "'num_groups': expected a divisor of hidden_dim 4, got 3"),
        refused_options<DTypeError>(name, R"("hidden_dim": 4, "kernel_size": 3, "dtype": "int64")",
                                    str(name, ": 'dtype': ", kFloatingExpected, "int64")),
        refused_input(name, all, {6, 5}, "[B, 6, L], got [6, 5]"),
        refused_input(name, all, {2, 4, 5},
                      "[B, 6, L], 6 channels being hidden_dim 6 / context-parallel size 1, got "
                      "[2, 4, 5] with 4 channels on rank 0"),
        refused_input<DTypeError>(name, all, {2, 6, 5}, "the weight's dtype float32, got float64",
                                  DType::float64)}) {
    d.refusals.push_back(r);
  }
  return d;
}

// The layers of sequences [B, L, d], d = 3.
Declared hyena(const char* name, Values (*oracle)(const StateDict&, const HyenaOptions&,
                                                  const Values&, int64_t, int64_t)) {
  const auto options = [](int64_t l_max) {
    return str(R"("d_model": 3, "filter_order": 6, "l_max": )", l_max);
  };
  const auto of = [=](const Shape& shape, int64_t l_max) {
    return sample_of(name, options(l_max), sample(shape), [=](const StateDict& p, const Tensor& x) {
      const HyenaOptions o{.d_model = 3, .l_max = l_max, .filter_order = 6};
      return from_vector(oracle(p, o, x.to_vector<double>(), x.size(0), x.size(1)), x.shape());
    });
  };
  Declared d{.name = name};
  d.samples = {of({2, 7, 3}, 9), of({1, 1, 3}, 1), of({2, 16, 3}, 16), of({0, 5, 3}, 9),
               of({2, 0, 3}, 9)};
  d.sized = [=](int64_t n) { return of({n / 150 + 1, 50, 3}, 64); };
  d.refusals = refused_devices("HyenaOperator", options(8), {1, 5, 3}, "parameters'");
  if (std::string(name) == "HyenaBlock") {
    d.refusals = refused_devices("LayerNorm", R"("dim": 3)", {1, 5, 3}, "parameters'");
    d.refusals.push_back(refused_options<ArgumentError>(
        name, R"("d_model": 3, "l_max": 8, "dropout": 1)",
        "configuration: line 1: 'dropout': expected a number of at least 0 and below 1, got 1"));
  }
  d.refusals.push_back(refused_options<ArgumentError>(
      name, R"("d_model": 3, "l_max": 8, "emb_dim": 4)",
      "configuration: line 1: 'emb_dim': expected an odd number, got 4"));
  const auto refused = [=](const Shape& x, const std::string& message) {
    return refusal<ShapeError>(message, [=] {
      make(name, options(8), {DType::float32, default_device()})->forward(zeros(x));
    });
  };
  d.refusals.push_back(
      refused({1, 9, 3}, "HyenaOperator: 'x': expected a length of at most l_max 8, got 9"));
  d.refusals.push_back(refused({8, 3}, "HyenaOperator: 'x': expected [B, L, 3], got [8, 3]"));
  return d;
}

Declared declared_hyena_lm() {
  const char* const name = "HyenaLM";
  const std::string one_block =
      R"("vocab_size": 7, "d_model": 3, "filter_order": 6, "l_max": 64, "n_layers": 1)";
  const std::string options =
      R"("vocab_size": 7, "d_model": 3, "filter_order": 6, "l_max": 64, "n_layers": 2)";
  const auto oracle = [](const StateDict& p, const Tensor& x) {
    const HyenaOptions o{.d_model = 3, .l_max = 64, .filter_order = 6};
    const Values table = get(p, "embedding.weight");
    Values r;
    for (const int64_t id : x.to_vector<int64_t>()) {
      for (int64_t i = 0; i < 3; ++i) r.push_back(table[index(id * 3 + i)]);
    }
    for (const char* block : {"blocks.0", "blocks.1"}) {
      if (under(p, block).empty()) continue;
      r = oracle_block(under(p, block), o, r, x.size(0), x.size(1));
    }
    r = oracle_linear(oracle_layer_norm(r, under(p, "norm"), 3), table, {}, 3);
    return from_vector(r, {x.size(0), x.size(1), 7});
  };
  const auto of = [=](const std::string& blocks, const Shape& ids) {
    return sample_of(name, blocks, sample_ids(ids, 7), oracle);
  };
  Declared d{.name = name,
             .samples = {of(options, {2, 7}), of(one_block, {1, 1}), of(one_block, {0, 5}),
                         of(one_block, {2, 0})},
             .sized = [=](int64_t n) {
               return of(one_block, {n / 150 + 1, 50});
             }};
  d.refusals = refused_devices(name, options, {1, 2}, "parameters'", DType::int64);
  const DType ids = DType::int64;
  d.refusals.push_back(refused_input(name, options, {5}, "ids [B, L], got [5]", ids));
  d.refusals.push_back(
      refused_input(name, options, {1, 65}, "a length of at most l_max 64, got 65", ids));
  d.refusals.push_back(refused_input<DTypeError>(name, options, {1, 2}, "int64 ids, got float32"));
  d.refusals.push_back(refused_options<ArgumentError>(
      name, R"("vocab_size": 7, "d_model": 3, "l_max": 8)",
      "configuration: 'n_layers': expected a value, the key being required, got nothing"));
  return d;
}

}  // namespace

std::vector<Declared> declared_layers() {
  std::vector<Declared> layers = {declared_conv(),       declared_embedding_layer(),
                                  declared_gated_mlp(),  hyena("HyenaBlock", oracle_block),
                                  declared_hyena_lm(),   hyena("HyenaOperator", oracle_operator),
                                  declared_layer_norm(), declared_linear(),
                                  declared_mlp()};
  for (Declared& layer : layers) layer.arguments.resize(layer.samples.front().inputs.size());
  return layers;
}

}  // namespace crocuta::test
