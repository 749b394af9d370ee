#include "framework/nn/optimizer.h"

#include <cmath>
#include <functional>
#include <memory>

#include "framework/device/threads.h"
#include "framework/ops/ops.h"
#include "tests/support/catch.h"
#include "tests/support/check_op.h"

using namespace crocuta;
using namespace crocuta::test;

namespace {

Tensor parameter(const Tensor& values) {
  const Tensor p = values.clone();
  p.set_requires_grad();
  return p;
}

// The gradient of step t, other than the last one's in size and sign.
Tensor gradient(int t, const Shape& shape, DType dtype = DType::float64) {
  return (sample(shape, -1, 1, 100 + static_cast<std::uint64_t>(t)) * (1 + 0.1 * t)).to(dtype);
}

void check_values(const Tensor& x, const std::vector<double>& expected, double tolerance) {
  const std::vector<double> values = x.to_vector<double>();
  REQUIRE(values.size() == expected.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    CHECK(std::abs(values[i] - expected[i]) <= tolerance * (1 + std::abs(expected[i])));
  }
}

// AdamW by its definition, one element at a time.
std::vector<double> adamw_reference(std::vector<double> p, const AdamWOptions& o, int steps,
                                    double grad_scale = 1) {
  std::vector<double> m(p.size()), v(p.size());
  for (int t = 1; t <= steps; ++t) {
    const auto g = gradient(t, {static_cast<std::int64_t>(p.size())}).to_vector<double>();
    for (std::size_t i = 0; i < p.size(); ++i) {
      const double gi = grad_scale * g[i];
      m[i] = o.beta1 * m[i] + (1 - o.beta1) * gi;
      v[i] = o.beta2 * v[i] + (1 - o.beta2) * gi * gi;
      const double m_hat = m[i] / (1 - std::pow(o.beta1, t));
      const double v_hat = v[i] / (1 - std::pow(o.beta2, t));
      p[i] -= o.learning_rate * o.weight_decay * p[i];
      p[i] -= o.learning_rate * m_hat / (std::sqrt(v_hat) + o.eps);
    }
  }
  return p;
}

void run_steps(Optimizer& optimizer, const Tensor& p, int first, int last, double grad_scale = 1) {
  for (int t = first; t <= last; ++t) {
    p.set_grad(gradient(t, p.shape(), p.dtype()));
    optimizer.step(grad_scale);
  }
}
}  // namespace

TEST_CASE("the first AdamW step moves by the learning rate against the gradient's sign") {
  const Tensor p = parameter(from_vector<double>({1, 1, 1}, {3}));
  AdamW optimizer({{"p", p}}, {.learning_rate = 0.1, .weight_decay = 0.5});
  p.set_grad(from_vector<double>({2, -3, 0}, {3}));
  optimizer.step();
  // 1 - 0.1 * 0.5 for decay, then 0.1 for gradients far above eps, and nothing for none.
  check_values(p, {0.85, 1.05, 0.95}, 1e-9);
  CHECK(p.grad().defined());
  optimizer.zero_grad();
  CHECK(!p.grad().defined());
}

TEST_CASE("AdamW takes gradients whose squares overflow, and goes on learning") {
  for (const DType dtype : {DType::float32, DType::float64, DType::bfloat16}) {
    const double most = dtype == DType::float64 ? 1e308 : 3e38;
    const Tensor p = parameter(zeros({4}, {.dtype = dtype}));
    AdamW optimizer({{"p", p}}, {.learning_rate = 0.125, .weight_decay = 0});
    p.set_grad(from_vector<double>({most, -most, most * 1e-12, 1}, {4}).to(dtype));
    optimizer.step();
    check_values(p, {-0.125, 0.125, -0.125, -0.125}, 1e-6);
    // The root of the second moment falls by sqrt(beta2) a step, the first moment by beta1.
    const double before = p.to_vector<double>()[0];
    for (int t = 0; t < 3; ++t) {
      p.set_grad(ones({4}, {.dtype = dtype}));
      optimizer.step();
    }
    CHECK(p.to_vector<double>()[0] < before - 0.1);
    for (const double v : p.to_vector<double>()) CHECK(std::isfinite(v));
    for (const double infinite : {double{INFINITY}, -double{INFINITY}, double{NAN}}) {
      p.set_grad(from_vector<double>({0, 0, 0, infinite}, {4}).to(dtype));
      optimizer.step();
      CHECK(std::isfinite(p.to_vector<double>()[0]));
      CHECK(std::isnan(p.to_vector<double>()[3]));
    }
  }
}

TEST_CASE("three steps end where PyTorch's do") {
  // torch.optim in float64, gradient (0.1 t, -0.3, 2 (2 - t)) at t = 1, 2, 3.
  const auto run = [](auto make) {
    const Tensor p = parameter(from_vector<double>({1.0, -2.0, 0.5}, {3}));
    const auto optimizer = make(std::vector<NamedTensor>{{"p", p}});
    for (int t = 1; t <= 3; ++t) {
      p.set_grad(from_vector<double>({0.1 * t, -0.3, 2.0 * (2 - t)}, {3}));
      optimizer->step();
    }
    return p;
  };
  check_values(run([](auto parameters) {
                 return std::make_unique<AdamW>(
                     parameters,
                     AdamWOptions{.learning_rate = 0.1, .beta2 = 0.98, .weight_decay = 0.1});
               }),
               {0.681731256875546, -1.6435880099003328, 0.329069303882205}, 1e-14);
  check_values(run([](auto parameters) {
                 return std::make_unique<Sgd>(
                     parameters,
                     SgdOptions{.learning_rate = 0.1, .momentum = 0.9, .weight_decay = 0.01});
               }),
               {0.8993527889999999, -1.820633568, 0.15595719949999995}, 1e-14);
  check_values(run([](auto parameters) {
                 return std::make_unique<Sgd>(parameters, SgdOptions{.learning_rate = 0.1});
               }),
               {0.94, -1.91, 0.5}, 1e-14);
}

TEST_CASE("twenty AdamW steps follow the definition in every dtype") {
  const AdamWOptions options{.learning_rate = 0.01, .beta2 = 0.98, .weight_decay = 0.1};
  const Tensor start = sample({1001}).to(DType::bfloat16).to(DType::float64);
  const std::vector<double> expected = adamw_reference(start.to_vector<double>(), options, 20);
  const auto run = [&](DType dtype, double grad_scale) {
    const Tensor p = parameter(start.to(dtype));
    AdamW optimizer({{"p", p}}, options);
    run_steps(optimizer, p, 1, 20, grad_scale);
    return p;
  };
  check_values(run(DType::float64, 1), expected, 1e-13);
  check_values(run(DType::float32, 1), expected, 2e-6);
  // 16-bit gradients are off by a relative 2^-9 or 2^-12, hence each of 20 steps of 0.01 by about
  // that; the master copy adds no rounding of its own, the parameter one.
  check_values(run(DType::bfloat16, 1), expected, 0x1p-9 + 20 * 0.01 * 0x1p-8);
  check_values(run(DType::float16, 1), expected, 0x1p-12 + 20 * 0.01 * 0x1p-11);
  check_values(run(DType::float64, 0.25),
               adamw_reference(start.to_vector<double>(), options, 20, 0.25), 1e-13);
}

TEST_CASE("a master copy keeps steps that are below a 16-bit parameter's resolution") {
  const auto run = [](bool master_weights) {
    const Tensor p = parameter(ones({4}, {.dtype = DType::bfloat16}));
    AdamW optimizer({{"p", p}},
                    {.learning_rate = 1e-4, .weight_decay = 0, .master_weights = master_weights});
    CHECK(optimizer.state_dict().contains("p.master") == master_weights);
    for (int t = 0; t < 100; ++t) {
      p.set_grad(ones({4}, {.dtype = DType::bfloat16}));
      optimizer.step();
    }
    return p.to_vector<double>()[0];
  };
  CHECK(run(false) == 1.0);
  CHECK(run(true) == Approx(0.99).margin(0x1p-9));
}

TEST_CASE("groups have learning rates, weight decay and betas of their own") {
  const Tensor a = parameter(ones({2})), b = parameter(ones({2})), c = parameter(ones({2}));
  AdamW optimizer({{.parameters = {{"a", a}}},
                   {.parameters = {{"b", b}}, .learning_rate_scale = 0.5, .weight_decay = 0},
                   {.parameters = {{"c", c}}, .betas = {{0, 0}}}},
                  {.learning_rate = 0.1, .weight_decay = 1});
  for (const double g : {1.0, -3.0}) {
    for (const Tensor& p : {a, b, c}) p.set_grad(full({2}, g));
    optimizer.step();
    if (g == 1.0) {
      check_values(a, {0.8, 0.8}, 1e-6);
      check_values(b, {0.95, 0.95}, 1e-6);
      check_values(c, {0.8, 0.8}, 1e-6);
    }
  }
  check_values(c, {0.82, 0.82}, 1e-6);  // no memory: 0.8 * 0.9 + 0.1
  optimizer.set_learning_rate(0);
  optimizer.step();
  check_values(c, {0.82, 0.82}, 1e-6);
}

TEST_CASE("parameters without a gradient stay, and count their own steps") {
  const Tensor a = parameter(ones({2})), b = parameter(ones({2}));
  AdamW optimizer({{"a", a}, {"b", b}}, {.learning_rate = 0.1, .weight_decay = 0});
  a.set_grad(ones({2}));
  optimizer.step();
  check_values(b, {1, 1}, 0);
  b.set_grad(ones({2}));
  optimizer.step();
  check_values(b, {0.9, 0.9}, 1e-6);  // a first step
  const StateDict state = optimizer.state_dict();
  CHECK(state.at("a.step").item() == 2);
  CHECK(state.at("b.step").item() == 1);
}

TEST_CASE("a step is noticed by graphs that kept the parameter") {
  const Tensor p = parameter(ones({2}));
  AdamW optimizer({{"p", p}});
  const Tensor y = sum(p * p);
  p.set_grad(ones({2}));
  optimizer.step();
  CHECK_THROWS_AS(y.backward(), Error);
}

TEST_CASE("an optimizer resumed from its state takes the same steps, bit for bit") {
  const auto make = [](const Tensor& p, bool adam) -> std::unique_ptr<Optimizer> {
    const std::vector<NamedTensor> parameters = {{"p", p}};
    if (adam) return std::make_unique<AdamW>(parameters, AdamWOptions{.learning_rate = 0.01});
    return std::make_unique<Sgd>(parameters, SgdOptions{.momentum = 0.9});
  };
  for (const DType dtype : {DType::float32, DType::float64, DType::bfloat16}) {
    for (const bool adam : {true, false}) {
      const Tensor start = sample({300}).to(dtype);
      const Tensor never_stopped = parameter(start), stopped = parameter(start);
      run_steps(*make(never_stopped, adam), never_stopped, 1, 6);

      const auto before = make(stopped, adam);
      run_steps(*before, stopped, 1, 3);
      StateDict saved;
      for (const auto& [name, tensor] : before->state_dict()) saved[name] = tensor.clone();
      const Tensor resumed = parameter(stopped);
      const auto after = make(resumed, adam);
      after->load_state_dict(saved);
      run_steps(*before, stopped, 4, 5);  // what was loaded is a copy
      run_steps(*after, resumed, 4, 6);
      CHECK(resumed.to_vector<double>() == never_stopped.to_vector<double>());
    }
  }
}

TEST_CASE("loading optimizer state lists everything that does not fit and changes nothing") {
  const Tensor p = parameter(ones({2, 3})), q = parameter(ones({4}));
  AdamW optimizer({{"p", p}, {"q", q}});
  p.set_grad(ones({2, 3}));
  q.set_grad(ones({4}));
  optimizer.step();
  StateDict state;
  for (const auto& [name, tensor] : optimizer.state_dict()) state[name] = tensor.clone();
  const std::vector<double> kept = state.at("p.exp_avg").to_vector<double>();
  state.at("p.exp_avg").fill_(7);
  state.erase("q.exp_avg");
  state["p.exp_avg_sq"] = zeros({3, 2});
  state["q.exp_avg_sq"] = zeros({4}, {.dtype = DType::float64});
  state["r.step"] = zeros({});
  state["q.step"] = from_vector<std::int64_t>({-1}, {});
  CHECK(message_of<ArgumentError>([&] { optimizer.load_state_dict(state); }) ==
        "load_state_dict: 'state': expected this optimizer's state, got "
        "'p.exp_avg_sq' should have shape [2, 3], has [3, 2]; missing 'q.exp_avg' [4]; "
        "'q.exp_avg_sq' should be float32, is float64; 'q.step' should be at least 0, is -1; "
        "unexpected 'r.step' []");
  CHECK(optimizer.state_dict().at("p.exp_avg").to_vector<double>() == kept);
}

TEST_CASE("steps have the same bits at any thread count") {
  const NumThreads restored(1);
  for (const DType dtype : {DType::float32, DType::float64, DType::bfloat16, DType::float16}) {
    for (const bool master_weights : {true, false}) {
      std::vector<std::vector<double>> results;
      for (const int threads : {1, 2, 3, 4}) {
        set_num_threads(threads);
        const Tensor p = parameter(sample({100'003}).to(dtype));
        AdamW adam({{"p", p}}, {.learning_rate = 0.01, .master_weights = master_weights});
        run_steps(adam, p, 1, 3);
        Sgd sgd({{"p", p}},
                {.momentum = 0.9, .weight_decay = 0.1, .master_weights = master_weights});
        run_steps(sgd, p, 1, 3);
        results.push_back(p.to_vector<double>());
      }
      INFO(dtype << (master_weights ? ", master weights" : ""));
      for (const auto& result : results) CHECK(result == results[0]);
    }
  }
}

TEST_CASE("optimizers say what is wrong with their options and parameters") {
  const Tensor p = parameter(ones({2}));
  const auto adam = [&](const AdamWOptions& options) {
    return message_of<ArgumentError>([&] { AdamW({{"p", p}}, options); });
  };
  CHECK(adam({.learning_rate = -1}) ==
        "AdamW: 'learning_rate': expected a number of at least 0, got -1");
  CHECK(adam({.learning_rate = NAN}) ==
        "AdamW: 'learning_rate': expected a number of at least 0, got nan");
  CHECK(adam({.beta1 = 1}) == "AdamW: 'betas': expected numbers from 0 to below 1, got 1");
  CHECK(adam({.beta2 = -0.1}) == "AdamW: 'betas': expected numbers from 0 to below 1, got -0.1");
  const char* const small = "AdamW: 'eps': expected at least 1e-15 (1e-150 in float64), got ";
  CHECK(adam({.eps = 0}) == str(small, "0"));
  CHECK(adam({.eps = 1e-16}) == str(small, "1e-16"));
  CHECK(adam({.eps = NAN}) == str(small, "nan"));
  CHECK(adam({.eps = 1e-15}) == "(nothing thrown)");
  CHECK(adam({.weight_decay = -1}) ==
        "AdamW: 'weight_decay': expected a number of at least 0, got -1");
  CHECK(message_of<ArgumentError>([&] {
          Sgd({{"p", p}}, {.momentum = 1});
        }) == "Sgd: 'momentum': expected a number from 0 to below 1, got 1");
  const auto parameters = [](const std::vector<NamedTensor>& list) {
    return message_of<ArgumentError>([&] { AdamW{list}; });
  };
  CHECK(parameters({}) == "AdamW: 'parameters': expected at least one, got none");
  CHECK(parameters({{"p", p}, {"p", parameter(p)}}) ==
        "AdamW: 'p': expected a name of its own, got one that is taken");
  CHECK(parameters({{"p", p}, {"q", p}}) ==
        "AdamW: 'q': expected a parameter given once, got the same as 'p'");
  CHECK(parameters({{"p", transpose(ones({2, 3}), 0, 1)}}) ==
        "AdamW: 'p': expected a contiguous parameter, got a strided view");
  CHECK(message_of<DTypeError>([] {
          AdamW({{"p", arange(3)}});
        }) == "AdamW: 'p': expected a floating dtype, got int64");
  AdamW optimizer({{"p", p}});
  CHECK(message_of<ArgumentError>([&] { optimizer.set_learning_rate(-1); }) ==
        "set_learning_rate: 'value': expected a number of at least 0, got -1");
}
