// The Hyena layers against outputs and gradients made once with PyTorch in float64: see
// tests/golden/make_hyena_golden.py.
#include <algorithm>
#include <filesystem>

#include "framework/safetensors.h"
#include "layers/hyena_filter.h"
#include "tests/layers/layer_checks.h"
#include "tests/support/catch.h"

namespace crocuta::test {
namespace {

// Both sides round; the largest error seen is a few parts in 1e14.
constexpr double kTolerance = 1e-12;

struct Golden {
  explicit Golden(const std::string& path) {
    Safetensors file = load_safetensors(path);
    layer = file.metadata.at("layer");
    config = file.metadata.at("config");
    tensors = std::move(file.tensors);
    for (const auto& [name, tensor] : tensors) {
      if (name.rfind("param.", 0) == 0) params[name.substr(6)] = tensor;
    }
  }

  // Loads the parameters, runs `f`, and compares everything.
  void check(Module& module, const std::function<Tensor(const Tensor&)>& f) const {
    module.load_state_dict(params);
    Tensor x;
    if (tensors.count("input.0")) x = tensors.at("input.0");
    const bool floating = x.defined() && is_floating(x.dtype());
    if (floating) x = x.detach().set_requires_grad();
    const Tensor y = f(x);
    CHECK(close(y, tensors.at("output"), kTolerance));
    y.backward(tensors.at("grad_output"));
    if (floating) CHECK(close(x.grad(), tensors.at("grad.input.0"), kTolerance));
    for (const NamedTensor& p : module.named_parameters()) {
      CAPTURE(p.name);
      const Tensor& expected = tensors.at("grad.param." + p.name);
      if (p.tensor.grad().defined()) {
        CHECK(close(p.tensor.grad(), expected, kTolerance));
      } else {
        CHECK(expected.to_vector<double>() ==
              std::vector<double>(static_cast<std::size_t>(p.tensor.numel())));
      }
    }
  }

  std::string layer, config;
  StateDict tensors, params;
};

std::vector<std::string> golden_files() {
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(CROCUTA_GOLDEN_DIR "/hyena")) {
    files.push_back(entry.path().string());
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

TEST_CASE("outputs and all gradients equal those of PyTorch in float64") {
  const std::vector<std::string> files = golden_files();
  REQUIRE(files.size() == 11);
  for (const std::string& file : files) {
    CAPTURE(file);
    const Golden golden(file);
    if (golden.layer == "HyenaFilter") {
      const Config config = Config::parse(golden.config);
      HyenaFilter filter(hyena_operator_options(config));
      golden.check(filter, [&](const Tensor&) { return filter.taps(config.get_int("length")); });
    } else {
      const auto layer = layer_from_json(golden.layer, golden.config);
      golden.check(*layer, [&](const Tensor& x) { return layer->forward(x); });
    }
  }
}

}  // namespace crocuta::test
