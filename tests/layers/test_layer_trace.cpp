#include "layers/inspect/trace.h"

#include "framework/ops/ops.h"
#include "layers/mlp.h"
#include "tests/support/catch.h"

using namespace crocuta;

namespace {

// Uses one child twice.
class Twice : public Layer {
 public:
  Twice() : inner_(child<MLP>("inner", MLP::Options{.d_model = 2, .d_inner = 3})) {}
  Tensor forward(const Tensor& x, const ProcessGroup& cp) override {
    if (x.size(0) == 9) throw Error("nine");
    return inner_(inner_(x, cp) * 2, cp);
  }

 private:
  MLP& inner_;
};

std::vector<std::string> names(const LayerCalls& calls) {
  std::vector<std::string> result;
  for (const auto& call : calls) result.push_back(call->name);
  return result;
}

}  // namespace

TEST_CASE("a trace holds every call with its tensors and their gradients") {
  Twice model;
  LayerCalls calls;
  const Tensor x = ones({5, 2}).set_requires_grad();
  Tensor y;
  {
    const LayerTrace trace(model, calls);
    y = model(x);
  }
  REQUIRE(names(calls) == std::vector<std::string>{"", "inner", "inner.fc1", "inner.fc2",
                                                   "inner (2)", "inner.fc1 (2)", "inner.fc2 (2)"});
  CHECK(calls[0]->layer == &model);
  CHECK(calls[0]->output.to_vector() == y.to_vector());
  CHECK(calls[4]->input.to_vector() == (calls[1]->output * 2).to_vector());
  CHECK(calls[1]->output.to_vector() == calls[3]->output.to_vector());
  CHECK(calls[2]->output.shape() == Shape{5, 3});
  CHECK_FALSE(calls[0]->output.requires_grad());
  CHECK(calls[0]->began < calls[1]->began);
  CHECK(calls[1]->ended < calls[4]->began);
  CHECK(calls[6]->ended < calls[0]->ended);

  CHECK_FALSE(calls[1]->grad_output.defined());
  const Tensor dy = full({5, 2}, 3);
  y.backward(dy);
  CHECK(calls[0]->grad_output.to_vector() == dy.to_vector());
  CHECK(calls[1]->grad_output.to_vector() == (calls[4]->grad_input * 2).to_vector());
  CHECK(calls[0]->grad_input.to_vector() == x.grad().to_vector());
  CHECK(calls[1]->grad_input.to_vector() == x.grad().to_vector());
}

TEST_CASE("a trace changes neither results nor gradients, and ends with its scope") {
  Twice model;
  const auto run = [&] {
    model.zero_grad();
    const Tensor y = model(full({4, 2}, 0.5));
    sum(y).backward();
    return std::pair(y.to_vector(), model.parameters()[0].grad().to_vector());
  };
  const auto plain = run();
  LayerCalls calls;
  {
    const LayerTrace trace(model, calls);
    CHECK(run() == plain);
  }
  CHECK(calls.size() == 7);
  CHECK(run() == plain);
  CHECK(calls.size() == 7);
}

TEST_CASE("a layer that throws stays at work in the trace") {
  Twice model;
  LayerCalls calls;
  const LayerTrace trace(model, calls);
  CHECK_THROWS_AS(model(ones({9, 2})), Error);
  REQUIRE(calls.size() == 1);
  CHECK_FALSE(calls[0]->output.defined());
}

TEST_CASE("forward() itself is not seen, only layers called as functions") {
  Twice model;
  LayerCalls calls;
  const LayerTrace trace(model, calls);
  model.forward(ones({1, 2}), ProcessGroup());
  CHECK(calls.size() == 6);
  CHECK(calls[0]->name == "inner");
}
