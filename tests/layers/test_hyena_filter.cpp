#include "layers/hyena/filter.h"

#include <cmath>

#include "distributed/backends/threads.h"
#include "framework/ops/ops.h"
#include "framework/tensor/random.h"
#include "tests/layers/hyena_oracle.h"
#include "tests/layers/layer_checks.h"
#include "tests/support/catch.h"
#include "tests/support/check_op.h"

namespace crocuta::test {
namespace {

constexpr DType kF64 = DType::float64;

HyenaOptions options(std::int64_t d_model, std::int64_t l_max, std::int64_t emb_dim = 5) {
  return {.d_model = d_model, .l_max = l_max, .filter_order = 6, .emb_dim = emb_dim, .dtype = kF64};
}

}  // namespace

TEST_CASE("the taps are those of the formula") {
  struct Case {
    std::int64_t d, l_max, E, L;
  };
  for (const Case& c : {Case{6, 16, 5, 16}, Case{5, 40, 9, 23}, Case{3, 7, 3, 1}, Case{1, 9, 3, 9},
                        Case{4, 1, 5, 1}, Case{2, 2, 7, 2}}) {
    CAPTURE(c.d, c.l_max, c.E, c.L);
    const HyenaOptions o = options(c.d, c.l_max, c.E);
    const HyenaFilter filter(o);
    randomize(filter);
    const Tensor k = filter.taps(c.L);
    CHECK(k.shape() == Shape{c.d, c.L});
    CHECK(close(k.to_vector<double>(), oracle_taps(filter.state_dict(), o, c.L), 1e-13));
  }
}

TEST_CASE("the taps do not depend on what was asked for before") {
  const HyenaOptions o = options(4, 50);
  const HyenaFilter filter(o), fresh(o);
  randomize(filter);
  randomize(fresh);
  filter.taps(3);
  filter.taps(50);
  CHECK(filter.taps(17).to_vector<double>() == fresh.taps(17).to_vector<double>());
}

TEST_CASE("a zero length gives no taps") {
  CHECK(HyenaFilter(options(4, 8)).taps(0).shape() == Shape{4, 0});
}

TEST_CASE("the gradient of the taps is the derivative") {
  const HyenaFilter filter(options(4, 20));
  randomize(filter);
  const auto both = [&](const Tensor&) {  // skip has no part in the taps
    return cat({reshape(filter.taps(11), {-1}), filter.local_skip()}, 0);
  };
  CHECK(module_gradient_mismatch(filter, zeros({1}, {.dtype = DType::int64}), both, 40) == "");
}

TEST_CASE("parameters have their names, shapes and initial values") {
  manual_seed(3);
  const HyenaFilter filter({.d_model = 500, .l_max = 8, .filter_order = 70, .w = 2.5});
  const StateDict p = filter.state_dict();
  std::vector<std::string> names;
  for (const auto& [name, tensor] : p) names.push_back(name + " " + to_string(tensor.shape()));
  CHECK(names == std::vector<std::string>{
                     "freq [70]", "layers.0.bias [70]", "layers.0.weight [70, 5]",
                     "layers.1.bias [70]", "layers.1.weight [70, 70]", "layers.2.bias [70]",
                     "layers.2.weight [70, 70]", "layers.3.weight [500, 70]", "skip [500]"});
  for (const float f : p.at("freq").to_vector()) CHECK(f == 2.5f);
  for (const float b : p.at("layers.2.bias").to_vector()) CHECK(b == 0);
  const auto variance = [&](const char* name) { return mean(p.at(name) * p.at(name)).item(); };
  CHECK(std::abs(variance("layers.3.weight") / 4e-4 - 1) < 0.04);  // 5 sigma
  CHECK(std::abs(variance("layers.1.weight") / 4e-4 - 1) < 0.10);
  CHECK(std::abs(variance("skip") - 1) < 0.32);
}

TEST_CASE("each rank evaluates its own channels only, to the same bits") {
  const HyenaOptions o = options(12, 16);
  const HyenaFilter alone(o);
  randomize(alone);
  const Tensor whole = alone.taps(13), skip = alone.local_skip();
  for (const int P : {2, 3, 4}) {
    CHECK_NOTHROW(run_ranks(P, [&](const ProcessGroup& cp) {
      const HyenaFilter filter(o);
      randomize(filter);
      const std::int64_t channels = 12 / P;
      const Tensor k = filter.taps(13, cp);
      if (k.shape() != Shape{channels, 13} ||
          !close(k, narrow(whole, 0, cp.rank() * channels, channels), 1e-14) ||
          filter.local_skip(cp).to_vector<double>() !=
              narrow(skip, 0, cp.rank() * channels, channels).to_vector<double>()) {
        throw Error(str("rank ", cp.rank(), " of ", P, " has other taps"));
      }
    }));
  }
}

TEST_CASE("16-bit filters compute in float32") {
  for (const DType dtype : {DType::bfloat16, DType::float16}) {
    CAPTURE(name(dtype));
    HyenaOptions o = options(4, 16);
    o.dtype = dtype;
    const HyenaFilter filter(o);
    randomize(filter);
    const Tensor k = filter.taps(16);
    CHECK(k.dtype() == DType::float32);
    CHECK(filter.local_skip().dtype() == DType::float32);
    // The oracle on the same rounded parameters: what is left is float32's error in the sines'
    // arguments, a few units of up to 10, through three layers.
    CHECK(close(k.to_vector<double>(), oracle_taps(filter.state_dict(), o, 16), 1e-4));
  }
}

TEST_CASE("the filter says what is wrong") {
  const HyenaFilter filter(options(6, 8));
  CHECK(message_of<ShapeError>([&] { filter.taps(9); }) ==
        "HyenaFilter: 'length': expected at most l_max 8, got 9");
  CHECK_THAT(
      message_of<ArgumentError>([&] {
        run_ranks(4, [](const ProcessGroup& cp) { HyenaFilter(options(6, 8)).taps(8, cp); });
      }),
      ContainsSubstring(
          "HyenaFilter: 'd_model': expected a multiple of the 4 context-parallel ranks, got 6"));
  CHECK(message_of<ArgumentError>([] { HyenaFilter(options(6, 8, 4)); }) ==
        "HyenaFilter: 'emb_dim': expected an odd number, got 4");
  CHECK(message_of<ArgumentError>([] { HyenaFilter(options(6, 8, 1)); }) ==
        "HyenaFilter: 'emb_dim': expected an integer from 3 to 1099511627776, got 1");
  CHECK(message_of<ArgumentError>([] { HyenaFilter(options(6, 0)); }) ==
        "HyenaFilter: 'l_max': expected a size from 1 to 1099511627776, got 0");
  HyenaOptions o = options(6, 8);
  o.w = INFINITY;
  CHECK(message_of<ArgumentError>([&] { HyenaFilter{o}; }) ==
        "HyenaFilter: 'w': expected a number of at least -1e+06 and of at most 1e+06, got inf");
}

}  // namespace crocuta::test
