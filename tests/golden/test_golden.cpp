// Ops, layers, the whole model, optimizers and training against PyTorch in float64, on the default
// device, without PyTorch.
#include <filesystem>
#include <set>

#include "framework/io/safetensors.h"
#include "framework/ops/ops.h"
#include "tests/golden/golden.h"
#include "tests/layers/layer_checks.h"
#include "tests/support/catch.h"

namespace crocuta::test {
namespace {

// Relative to a tensor's largest element. Both sides round; the largest difference seen is 1.1e-13.
constexpr double kTolerance = 1e-12;

GoldenChecks all_checks() {
  GoldenChecks checks = golden_op_checks();
  checks.merge(golden_layer_checks());
  checks.merge(golden_training_checks());
  return checks;
}

std::vector<GoldenCase> cases_of(const std::string& family) {
  const Safetensors file = load_safetensors(CROCUTA_GOLDEN_DIR "/" + family + ".safetensors");
  std::map<std::string, GoldenCase> cases;
  for (const auto& [name, config] : file.metadata) {
    cases[name] = {family, name, Config::parse(config), {}};
  }
  for (const auto& [path, tensor] : file.tensors) {
    const std::size_t slash = path.find('/');
    cases.at(path.substr(0, slash)).tensors[path.substr(slash + 1)] = tensor.to(default_device());
  }
  std::vector<GoldenCase> result;
  for (auto& [name, c] : cases) result.push_back(std::move(c));
  return result;
}

}  // namespace

StateDict GoldenCase::below(const std::string& prefix) const {
  StateDict result;
  for (const auto& [name, tensor] : tensors) {
    if (name.starts_with(prefix)) result[name.substr(prefix.size())] = tensor;
  }
  return result;
}

std::vector<Tensor> GoldenCase::inputs() const {
  std::vector<Tensor> leaves;
  for (int i = 0; has(str("input.", i)); ++i) {
    const Tensor x = at(str("input.", i)).clone();
    leaves.push_back(is_floating(x.dtype()) ? x.set_requires_grad() : x);
  }
  return leaves;
}

void GoldenCase::check_equal(const Tensor& result, const std::string& expected) const {
  CAPTURE(family, name, expected);
  CHECK(close(result, at(expected), kTolerance));
}

void GoldenCase::check(const Function& f, Module* module) const {
  if (module) module->load_state_dict(below("param."));
  const std::vector<Tensor> leaves = inputs();
  const Tensor y = f(leaves);
  check_equal(y, "output");
  y.backward(at("grad_output"));
  std::set<std::string> wanted;
  for (const auto& [name, tensor] : below("grad.")) wanted.insert(name);
  const auto check_gradient = [&](const std::string& name, const Tensor& leaf) {
    CAPTURE(family, this->name, name);
    REQUIRE(wanted.erase(name) == 1);
    const Tensor none = zeros(leaf.shape(), leaf.options());
    check_equal(leaf.grad().defined() ? leaf.grad() : none, "grad." + name);
  };
  for (std::size_t i = 0; i < leaves.size(); ++i) {
    if (leaves[i].requires_grad()) check_gradient(str("input.", i), leaves[i]);
  }
  if (module) {
    for (const auto& [name, p] : module->named_parameters()) check_gradient("param." + name, p);
  }
  CHECK(wanted.empty());
}

TEST_CASE("results and all gradients equal those of PyTorch in float64") {
  for (const auto& [family, check] : all_checks()) {
    for (const GoldenCase& c : cases_of(family)) check(c);
  }
}

TEST_CASE("there are at least 200 golden cases, and none without a check") {
  const GoldenChecks checks = all_checks();
  std::size_t count = 0, files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(CROCUTA_GOLDEN_DIR)) {
    if (entry.path().extension() != ".safetensors") continue;
    const std::string family = entry.path().stem().string();
    CAPTURE(family);
    CHECK(checks.count(family) == 1);
    ++files;
    for (const GoldenCase& c : cases_of(family)) count += c.tensors.empty() ? 0 : 1;
  }
  CHECK(files == checks.size());
  CHECK(count >= 200);
}

TEST_CASE("a golden case notices a wrong result and a wrong gradient") {
  const Tensor right = tensor({1, -2, 3}, {.dtype = DType::float64});
  Tensor off = right.clone();
  off.copy_(right * (1 + 1e-11));
  CHECK(close(right, right, kTolerance));
  CHECK_FALSE(close(off, right, kTolerance));
}

}  // namespace crocuta::test
