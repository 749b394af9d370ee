#include "layers/distributed_depthwise_conv1d.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "distributed/backends/threads.h"
#include "framework/device/allocator.h"
#include "framework/ops/ops.h"
#include "framework/tensor/random.h"
#include "layers/registry.h"
#include "tests/support/bits.h"
#include "tests/support/catch.h"
#include "tests/support/check_op.h"

using namespace crocuta;
using namespace crocuta::test;

namespace {

using Conv = DistributedDepthwiseConv1d;

constexpr DType kFloats[] = {DType::float32, DType::float64, DType::bfloat16, DType::float16};

void load(Conv& conv, const Tensor& weight) {
  conv.load_state_dict({{"weight", weight}});
}

std::vector<float> by_hand(std::initializer_list<double> x, std::initializer_list<double> taps,
                           bool causal) {
  Conv conv(
      {.hidden_dim = 1, .kernel_size = static_cast<std::int64_t>(taps.size()), .causal = causal});
  load(conv, reshape(tensor(taps), {1, -1}));
  return conv.forward(reshape(tensor(x), {1, 1, -1})).to_vector();
}

double largest(const Tensor& x) {
  double result = 0;
  for (double v : x.to_vector<double>()) result = std::max(result, std::fabs(v));
  return result;
}

}  // namespace

TEST_CASE("the layer gives the values computed by hand") {
  const auto five = {1., 2., 3., 4., 5.}, four_taps = {1., 10., 100., 1000.};
  CHECK(by_hand(five, four_taps, false) == std::vector<float>{3210, 4321, 5432, 543, 54});
  CHECK(by_hand(five, four_taps, true) == std::vector<float>{1000, 2100, 3210, 4321, 5432});
  const auto two = {1., 2.}, five_taps = {1., 10., 100., 1000., 10000.};
  CHECK(by_hand(two, five_taps, false) == std::vector<float>{2100, 210});
  CHECK(by_hand(two, five_taps, true) == std::vector<float>{10000, 21000});
}

TEST_CASE("options become attributes and parameters") {
  const Conv plain({.hidden_dim = 6, .kernel_size = 4});
  CHECK(plain.hidden_dim() == 6);
  CHECK(plain.kernel_size() == 4);
  CHECK_FALSE(plain.causal());
  CHECK(plain.num_groups() == 6);
  CHECK(plain.group_dim() == 1);
  CHECK(plain.dtype() == DType::float32);
  CHECK(plain.device() == default_device());
  CHECK(plain.state_dict().size() == 1);
  CHECK(plain.state_dict().at("weight").shape() == Shape{6, 4});

  const Conv full({.hidden_dim = 6,
                   .kernel_size = 5,
                   .causal = true,
                   .num_groups = 2,
                   .bias = true,
                   .dtype = DType::bfloat16});
  CHECK(full.group_dim() == 3);
  CHECK(full.state_dict().size() == 2);
  CHECK(full.state_dict().at("weight").shape() == Shape{2, 5});
  CHECK(full.state_dict().at("bias").shape() == Shape{2});
  CHECK(full.bias().dtype() == DType::bfloat16);
  CHECK(full.bias().requires_grad());
}

TEST_CASE("the layer is built from configuration by name") {
  const auto module = make_layer(
      "DistributedDepthwiseConv1d",
      Config::parse(R"({"hidden_dim": 6, "kernel_size": 3, "causal": true, "num_groups": 2,
                        "bias": true, "dtype": "float64", "device": "cpu"})"));
  const auto& conv = dynamic_cast<const Conv&>(*module);
  CHECK(conv.hidden_dim() == 6);
  CHECK(conv.kernel_size() == 3);
  CHECK(conv.causal());
  CHECK(conv.num_groups() == 2);
  CHECK(conv.bias().shape() == Shape{2});
  CHECK(conv.dtype() == DType::float64);

  const auto least =
      make_layer("DistributedDepthwiseConv1d", Config::parse(R"({"hidden_dim": 4, "kernel_size": 1,
                                                  "num_groups": null})"));
  const auto& defaults = dynamic_cast<const Conv&>(*least);
  CHECK(defaults.num_groups() == 4);
  CHECK_FALSE(defaults.causal());
  CHECK_FALSE(defaults.bias().defined());
}

TEST_CASE("weights are drawn from [-1/sqrt(K), 1/sqrt(K)], weight first, alike in every dtype") {
  Generator expected{.seed = 9};
  const Tensor weight = empty({50, 16}, {.dtype = DType::float64});
  const Tensor bias = empty({50}, {.dtype = DType::float64});
  uniform_(weight, -0.25, 0.25, expected);
  uniform_(bias, -0.25, 0.25, expected);
  for (const DType dtype : kFloats) {
    manual_seed(9);
    Conv conv(
        {.hidden_dim = 100, .kernel_size = 16, .num_groups = 50, .bias = true, .dtype = dtype});
    CHECK(same_bits(conv.weight(), weight.to(dtype)));
    CHECK(same_bits(conv.bias(), bias.to(dtype)));
    const Tensor first = conv.weight().clone();
    conv.init_weights();
    CHECK_FALSE(same_bits(conv.weight(), first));
    manual_seed(9);
    conv.init_weights();
    CHECK(same_bits(conv.weight(), first));
  }
  CHECK(largest(weight) <= 0.25);
  CHECK(largest(weight) > 0.24);
}

TEST_CASE("strided, sliced and expanded inputs give the bits of their contiguous copies") {
  for (const DType dtype : kFloats) {
    manual_seed(1);
    const TensorOptions options{.dtype = dtype};
    Conv conv({.hidden_dim = 6, .kernel_size = 4, .num_groups = 3, .bias = true, .dtype = dtype});
    const Tensor base = randn({3, 40, 12}, options);
    for (const Tensor& view :
         {narrow(transpose(base, 1, 2), 1, 3, 6), narrow(narrow(base, 1, 5, 6), 2, 1, 9),
          expand(narrow(base, 2, 0, 1), {3, 40, 50})}) {
      const Tensor x = view.size(1) == 6 ? view : narrow(view, 1, 7, 6);
      CHECK_FALSE(x.is_contiguous());
      const Tensor y = conv.forward(x);
      CHECK(y.is_contiguous());
      CHECK(y.dtype() == dtype);
      CHECK(same_bits(y, conv.forward(x.clone())));
    }
  }
}

TEST_CASE("neither forward nor backward expands the shared weight to its channels") {
  constexpr std::int64_t C = 2048, K = 256, L = 4;
  for (const Device device : test_devices()) {
    CAPTURE(name(device));
    Conv conv({.hidden_dim = C, .kernel_size = K, .num_groups = 1, .device = device});
    const Tensor x = ones({1, C, L}, {.device = device}).set_requires_grad();
    const std::size_t before = memory_stats(device).live_bytes;
    const auto extra = [&] { return memory_stats(device).peak_bytes - before; };
    reset_peak_memory(device);
    const Tensor y = sum(conv.forward(x));
    CHECK(extra() < C * K * sizeof(float));
    y.backward();
    // A GPU sums the weight's gradient per channel first, in scratch memory.
    if (device.is_cpu()) CHECK(extra() < C * K * sizeof(float));
    CHECK(conv.weight().grad().defined());
  }
}

TEST_CASE("the layer refuses options out of range") {
  const auto argument_error = [](const Conv::Options& options) {
    return message_of<ArgumentError>([&] { Conv conv(options); });
  };
  CHECK(argument_error({.hidden_dim = 0, .kernel_size = 3}) ==
        "DistributedDepthwiseConv1d: 'hidden_dim': expected at least 1, got 0");
  CHECK(argument_error({.hidden_dim = 4, .kernel_size = -2}) ==
        "DistributedDepthwiseConv1d: 'kernel_size': expected at least 1, got -2");
  CHECK(argument_error({.hidden_dim = 4, .kernel_size = 3, .num_groups = 0}) ==
        "DistributedDepthwiseConv1d: 'num_groups': expected at least 1, got 0");
  CHECK(argument_error({.hidden_dim = 4, .kernel_size = 3, .num_groups = 8}) ==
        "DistributedDepthwiseConv1d: 'num_groups': expected a divisor of hidden_dim 4, got 8");
  CHECK(argument_error({.hidden_dim = 4, .kernel_size = 3, .num_groups = 3}) ==
        "DistributedDepthwiseConv1d: 'num_groups': expected a divisor of hidden_dim 4, got 3");
  const auto allocations = memory_stats(default_device()).allocations;
  CHECK(
      argument_error({.hidden_dim = std::int64_t{1} << 40, .kernel_size = std::int64_t{1} << 40}) ==
      "DistributedDepthwiseConv1d: 'kernel_size': expected a size whose product with num_groups "
      "1099511627776 can be counted, got 1099511627776");
  CHECK(memory_stats(default_device()).allocations == allocations);
  CHECK(message_of<DTypeError>(
            [] { Conv conv({.hidden_dim = 4, .kernel_size = 3, .dtype = DType::int32}); }) ==
        "DistributedDepthwiseConv1d: 'dtype': expected float32, float64, bfloat16 or float16, got "
        "int32");
  CHECK_THAT(message_of<OutOfMemory>(
                 [] { Conv conv({.hidden_dim = std::int64_t{1} << 40, .kernel_size = 1 << 10}); }),
             ContainsSubstring(str("out of memory on ", default_device(), ": wanted ")));
  if (!has_cuda_build()) {
    CHECK_THAT(message_of<DeviceError>([] {
                 Conv conv({.hidden_dim = 4, .kernel_size = 3, .device = Device::cuda()});
               }),
               ContainsSubstring("DistributedDepthwiseConv1d: 'device': expected cpu, got cuda:0"));
  }
}

TEST_CASE("the layer refuses a configuration in the same words as options") {
  const auto message = [](auto error, const char* text) {
    return message_of<decltype(error)>(
        [&] { make_layer("DistributedDepthwiseConv1d", Config::parse(text)); });
  };
  CHECK(message(ArgumentError(""), R"({"hidden_dim": -5, "kernel_size": 3})") ==
        "DistributedDepthwiseConv1d: 'hidden_dim': expected at least 1, got -5");
  CHECK(message(DTypeError(""), R"({"hidden_dim": 4, "kernel_size": 3, "dtype": "int64"})") ==
        "DistributedDepthwiseConv1d: 'dtype': expected float32, float64, bfloat16 or float16, got "
        "int64");
  CHECK(message(DTypeError(""), R"({"hidden_dim": 4, "kernel_size": 3, "dtype": "float8"})") ==
        "DistributedDepthwiseConv1d: 'dtype': expected float32, float64, bfloat16 or float16, got "
        "float8");
  CHECK_THAT(message(DeviceError(""), R"({"hidden_dim": 4, "kernel_size": 3, "device": "tpu"})"),
             ContainsSubstring("DistributedDepthwiseConv1d: 'device': expected"));
  CHECK_THAT(message(ArgumentError(""), R"({"hidden_dim": 4})"),
             ContainsSubstring("'kernel_size'"));
  CHECK_THAT(message(ArgumentError(""), R"({"hidden_dim": 4, "kernel_size": 3, "groups": 2})"),
             ContainsSubstring("'groups'"));
}

TEST_CASE("forward refuses inputs that do not fit, on every rank alike") {
  Conv conv({.hidden_dim = 12, .kernel_size = 3});
  CHECK(message_of<ShapeError>([&] {
          conv.forward(zeros({12, 5}));
        }) == "DistributedDepthwiseConv1d: 'x': expected [B, 12, L], got [12, 5]");
  CHECK(message_of<ShapeError>([&] {
          conv.forward(zeros({1, 12, 5, 1}));
        }) == "DistributedDepthwiseConv1d: 'x': expected [B, 12, L], got [1, 12, 5, 1]");
  CHECK(message_of<ShapeError>([&] {
          conv.forward(zeros({2, 8, 5}));
        }) ==
        "DistributedDepthwiseConv1d: 'x': expected [B, 12, L], 12 channels being hidden_dim 12 / "
        "context-parallel size 1, got [2, 8, 5] with 8 channels on rank 0");
  CHECK(message_of<DTypeError>([&] {
          conv.forward(zeros({2, 12, 5}, {.dtype = DType::float64}));
        }) == "DistributedDepthwiseConv1d: 'x': expected the weight's dtype float32, got float64");
  CHECK_THROWS_AS(conv.forward(Tensor()), ArgumentError);

  const auto on_ranks = [](int ranks, const Tensor& x) {
    std::vector<std::string> messages(static_cast<std::size_t>(ranks));
    run_ranks(ranks, [&](const ProcessGroup& cp) {
      Conv conv({.hidden_dim = 12, .kernel_size = 3});
      messages[static_cast<std::size_t>(cp.rank())] =
          message_of<Error>([&] { conv.forward(x, cp); });
    });
    return messages;
  };
  const auto shapes = on_ranks(2, zeros({2, 12, 5}));
  for (std::size_t r = 0; r < 2; ++r) {
    CHECK(
        shapes[r] ==
        str("DistributedDepthwiseConv1d: 'x': expected [B, 6, L], 6 channels being hidden_dim 12 / "
            "context-parallel size 2, got [2, 12, 5] with 12 channels on rank ",
            r));
  }
  for (const std::string& message : on_ranks(5, zeros({2, 12, 5}))) {
    CHECK(message ==
          "DistributedDepthwiseConv1d: 'hidden_dim': expected a multiple of the context-parallel "
          "size 5, got 12");
  }
}
