#include "framework/allocator.h"
#include "framework/ops.h"
#include "tests/check_op.h"
#include "tests/support/catch.h"

using namespace crocuta;
using namespace crocuta::test;
using std::int64_t;

namespace {

// y[r, o] = sum over i of x[r, i] weight[o, i] + bias[o], x [rows, in].
std::vector<double> rows_times(const Tensor& x, const std::vector<Tensor>& inputs) {
  const Tensor& weight = inputs[1];
  const int64_t out = weight.size(0), in = weight.size(1);
  const std::vector<double> vx = x.to_vector<double>(), w = weight.to_vector<double>();
  const std::vector<double> bias = inputs.size() > 2
                                       ? inputs[2].to_vector<double>()
                                       : std::vector<double>(static_cast<std::size_t>(out), 0.0);
  std::vector<double> y;
  for (int64_t r = 0; r < x.size(0); ++r) {
    for (int64_t o = 0; o < out; ++o) {
      double sum = bias[static_cast<std::size_t>(o)];
      for (int64_t i = 0; i < in; ++i) {
        sum += vx[static_cast<std::size_t>(r * in + i)] * w[static_cast<std::size_t>(o * in + i)];
      }
      y.push_back(sum);
    }
  }
  return y;
}

struct Form {
  const char* name;
  Tensor (*op)(const Tensor&, const Tensor&, const Tensor&);
  bool channels_in, channels_out;
};
const Form kForms[] = {{"linear", linear, false, false},
                       {"linear_to_channels", linear_to_channels, false, true},
                       {"linear_from_channels", linear_from_channels, true, false}};

void check(const Form& form, int64_t B, int64_t L, int64_t in, int64_t out, bool bias) {
  std::vector<Tensor> inputs = {
      sample(form.channels_in ? Shape{B, in, L} : Shape{B, L, in}, -1, 1, 1),
      sample({out, in}, -1, 1, 2)};
  if (bias) inputs.push_back(sample({out}, -1, 1, 3));
  const auto oracle = [&form, B, L, in, out](const std::vector<Tensor>& x) {
    const Tensor rows = reshape(form.channels_in ? transpose(x[0], 1, 2) : x[0], {B * L, in});
    const Tensor y = from_vector(rows_times(rows, x), {B, L, out});
    return form.channels_out ? transpose(y, 1, 2).contiguous() : y;
  };
  const auto terms = static_cast<double>(in + 2);
  check_op({.name = str(form.name, " B ", B, " L ", L, " in ", in, " out ", out, " bias ", bias),
            .fn =
                [&form](const std::vector<Tensor>& x) {
                  return form.op(x[0], x[1], x.size() > 2 ? x[2] : Tensor());
                },
            .oracle = oracle,
            .inputs = inputs,
            .rounding = terms,
            .scale = terms,
            .gradient_scale = static_cast<double>(B * L + out + 1),
            .gradient = {.same_bits = false}});
}
}  // namespace

TEST_CASE("linear maps match their sums, with and without bias") {
  for (const Form& form : kForms) {
    for (const bool bias : {false, true}) {
      check(form, 2, 5, 3, 4, bias);
      check(form, 1, 1, 1, 1, bias);
      check(form, 3, 17, 8, 1, bias);
      check(form, 2, 1, 9, 16, bias);
    }
    check(form, 1, 33, 31, 15, true);
    check(form, 2, 600, 16, 48, true);
  }
}

TEST_CASE("linear maps of sizes of zero") {
  for (const Form& form : kForms) {
    check(form, 0, 5, 3, 4, true);
    check(form, 2, 0, 3, 4, true);
    check(form, 2, 5, 0, 4, true);
    check(form, 2, 5, 3, 0, true);
  }
}

TEST_CASE("linear takes any number of leading dimensions") {
  const Tensor x = sample({2, 3, 4, 5}), w = sample({6, 5}), bias = sample({6});
  const Tensor y = linear(x, w, bias);
  CHECK(y.shape() == Shape{2, 3, 4, 6});
  CHECK(y.to_vector<double>() == linear(reshape(x, {24, 5}), w, bias).to_vector<double>());
  CHECK(linear(sample({5}), w).shape() == Shape{6});
}

TEST_CASE("a linear map of some rows equals those rows of the whole") {
  const Tensor x = sample({64, 40}), w = sample({30, 40});
  const std::vector<double> whole = narrow(linear(x, w), 0, 16, 7).to_vector<double>();
  const std::vector<double> part = linear(narrow(x, 0, 16, 7), w).to_vector<double>();
  for (std::size_t i = 0; i < part.size(); ++i) CHECK(part[i] == Approx(whole[i]).margin(1e-13));
}

TEST_CASE("linear maps keep no copy of contiguous inputs") {
  // On the CPU, where the product itself allocates nothing.
  const Tensor x = sample({4, 5, 6}).to(Device::cpu()), w = sample({7, 6}).to(Device::cpu());
  w.set_requires_grad();
  const std::uint64_t before = memory_stats(Device::cpu()).allocations;
  const Tensor y = linear(x, w);
  CHECK(memory_stats(Device::cpu()).allocations == before + 1);
}

TEST_CASE("linear maps say what does not fit") {
  const Tensor x = zeros({2, 5, 3}), w = zeros({4, 3});
  const auto shape_error = [](auto op, const Tensor& input, const Tensor& weight,
                              const Tensor& bias = {}) {
    return message_of<ShapeError>([&] { op(input, weight, bias); });
  };
  CHECK(shape_error(linear, zeros({2, 5}), w) ==
        "linear: 'x': expected [..., in] with in = 3 for weight [4, 3], got [2, 5]");
  CHECK(shape_error(linear, zeros({}), w) == "linear: 'x': expected [..., in], got []");
  CHECK(shape_error(linear, x, zeros({3})) == "linear: 'weight': expected [out, in], got [3]");
  CHECK(shape_error(linear, x, w, zeros({3})) == "linear: 'bias': expected [4], got [3]");
  CHECK(shape_error(linear_to_channels, zeros({5, 3}), w) ==
        "linear_to_channels: 'x': expected [B, L, in], got [5, 3]");
  CHECK(shape_error(linear_from_channels, x, w) ==
        "linear_from_channels: 'x': expected [B, in, L] with in = 3 for weight [4, 3], "
        "got [2, 5, 3]");
  CHECK(message_of<DTypeError>([&] {
          linear(x, sample({4, 3}));
        }) == "linear: 'weight': expected float32, got float64");
  CHECK(message_of<DTypeError>([&] { linear(x, w, sample({4})); }) ==
        "linear: 'bias': expected float32, got float64");
}
