#include "tests/cases/declared.h"

#include <algorithm>

#include "framework/ops/ops.h"
#include "framework/tensor/autograd.h"
#include "tests/support/catch.h"

namespace crocuta::test {
namespace {

constexpr char kUndefined[] =
    "Tensor: 'this': expected a tensor with a value, got an undefined one (default-constructed or "
    "moved from)";

// All floating inputs in `dtype`.
Tensors in_dtype(const Tensors& inputs, DType dtype) {
  Tensors result;
  for (const Tensor& x : inputs) result.push_back(is_floating(x.dtype()) ? x.to(dtype) : x);
  return result;
}

Tensors with(Tensors inputs, std::size_t i, const Tensor& other) {
  inputs[i] = other;
  return inputs;
}

// The op's result where every floating input asks for a gradient, or no input does.
Tensor result(const OpCheck& sample, bool recorded = true) {
  Tensors leaves;
  for (const Tensor& x : sample.inputs) {
    leaves.push_back(x.detach());
    if (recorded && is_floating(x.dtype())) leaves.back().set_requires_grad();
  }
  return sample.fn(leaves);
}

Shape longer(Shape shape) {
  shape.push_back(2);
  return shape;
}

bool is_empty(const OpCheck& sample) {
  return std::any_of(sample.inputs.begin(), sample.inputs.end(),
                     [](const Tensor& x) { return x.numel() == 0; });
}
bool is_awkward(const OpCheck& sample) {
  return !is_empty(sample) &&
         std::any_of(sample.inputs.begin(), sample.inputs.end(), [](const Tensor& x) {
           return std::any_of(x.shape().begin(), x.shape().end(),
                              [](std::int64_t n) { return n > 4 && n % 4 != 0; });
         });
}
// Not merely in one dimension, where few layouts differ.
bool is_strided(const OpCheck& sample) {
  return std::any_of(sample.inputs.begin(), sample.inputs.end(),
                     [](const Tensor& x) { return x.dim() >= 2 && x.numel() > 1; });
}

}  // namespace

const std::vector<DType> kAllDTypes = {DType::float32, DType::float64, DType::bfloat16,
                                       DType::float16, DType::int64,   DType::int32};

std::vector<Declared> declared_ops() {
  std::vector<Declared> all;
  for (const auto family : {declared_arithmetic, declared_unary, declared_views, declared_copies,
                            declared_reductions, declared_products, declared_convolutions,
                            declared_rows, declared_ids, declared_compositions}) {
    for (Declared& op : family()) all.push_back(std::move(op));
  }
  return all;
}

std::vector<Refusal> gradient_refusals(const OpCheck& sample) {
  if (!sample.differentiable) return {};
  std::vector<Refusal> list;
  const Tensor y = result(sample, false);
  const Tensor dy = ones(y.shape(), y.options());
  list.push_back(
      refusal<ShapeError>(str("backward: 'dy': expected ", to_string(y.shape()), ", got ",
                              to_string(longer(y.shape()))),
                          [=] { result(sample).backward(ones(longer(y.shape()), y.options())); }));
  list.push_back(refusal<DTypeError>(str("backward: 'dy': expected ", y.dtype(), ", got int64"),
                                     [=] { result(sample).backward(dy.to(DType::int64)); }));
  list.push_back(refusal<ArgumentError>(
      "backward: 'this': expected a tensor that depends on one requiring a gradient, got one that "
      "does not",
      [=] { result(sample, false).backward(dy); }));
  if (y.numel() != 1) {
    list.push_back(
        refusal<ShapeError>(str("backward: 'this': expected one element, or a dy given to "
                                "backward(dy), got ",
                                to_string(y.shape())),
                            [=] { result(sample).backward(); }));
  }
  if (const Tensor recorded = result(sample); recorded.node()) {
    list.push_back(refusal<Error>(str(recorded.node()->name,
                                      ": backward: this graph was walked before and its memory "
                                      "released; run the forward pass again"),
                                  [=] {
                                    const Tensor twice = result(sample);
                                    twice.backward(dy);
                                    twice.backward(dy);
                                  }));
  }
  return list;
}

std::vector<Refusal> op_refusals(const Declared& op) {
  const OpCheck& sample = op.samples.front();
  const Fn fn = sample.fn;
  const Tensors inputs = in_dtype(sample.inputs, DType::float32);
  std::vector<Refusal> list = gradient_refusals(sample);
  const auto floating = [](const Tensor& x) { return is_floating(x.dtype()); };
  // The others have to be as this one is.
  const auto first = static_cast<std::size_t>(std::find_if(inputs.begin(), inputs.end(), floating) -
                                              inputs.begin());
  const auto& dtypes = sample.dtypes;
  if (std::find(dtypes.begin(), dtypes.end(), DType::int32) == dtypes.end()) {
    list.push_back(refusal<DTypeError>(str(op.name, ": 'dtype': ", kFloatingExpected, "int32"),
                                       [=] { fn(in_dtype(inputs, DType::int32)); }));
  }
  if (std::find(dtypes.begin(), dtypes.end(), DType::int64) == dtypes.end()) {
    list.push_back(refusal<DTypeError>(str(op.name, ": 'dtype': ", kFloatingExpected, "int64"),
                                       [=] { fn(in_dtype(inputs, DType::int64)); }));
  }
  list.push_back(refusal<ArgumentError>(kUndefined, [=] {
    Tensors moved_from = inputs;
    const Tensor elsewhere = std::move(moved_from[first]);
    fn(moved_from);
  }));
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (i + static_cast<std::size_t>(op.optional) < inputs.size()) {
      list.push_back(refusal<ArgumentError>(kUndefined, [=] { fn(with(inputs, i, Tensor())); }));
    }
    if (i == first) continue;
    const DType wanted = inputs[i].dtype();
    for (const DType other : {DType::float64, DType::int32}) {
      list.push_back(refusal<DTypeError>(
          str(op.name, ": '", op.arguments[i], "': expected ", wanted, ", got ", other),
          [=] { fn(with(inputs, i, inputs[i].to(other))); }));
    }
    for (const Device here : test_devices()) {
      for (const Device there : test_devices()) {
        if (here == there) continue;
        list.push_back(refusal<DeviceError>(
            str(op.name, ": '", op.arguments[i], "': expected ", here, ", got ", there), [=] {
              Tensors placed;
              for (const Tensor& x : inputs) placed.push_back(x.to(here));
              fn(with(placed, i, inputs[i].to(there)));
            }));
      }
    }
  }
  return list;
}

std::string missing(const Declared& d, const std::vector<Refusal>& common) {
  constexpr std::size_t kRefusals = 5, kSamples = 3;
  if (d.samples.size() < kSamples) return str("expected at least ", kSamples, " samples");
  if (d.samples.front().inputs.size() != d.arguments.size()) {
    return "expected the first sample to have all arguments";
  }
  if (std::none_of(d.samples.begin(), d.samples.end(), is_empty)) return "expected an empty sample";
  if (std::none_of(d.samples.begin(), d.samples.end(), is_awkward)) {
    return "expected a sample of an awkward size";
  }
  if (std::none_of(d.samples.begin(), d.samples.end(), is_strided)) {
    return "expected a sample of two dimensions";
  }
  for (const DType dtype : OpCheck{}.dtypes) {
    const auto covers = [&](const OpCheck& sample) {
      return std::find(sample.dtypes.begin(), sample.dtypes.end(), dtype) != sample.dtypes.end();
    };
    if (!std::all_of(d.samples.begin(), d.samples.end(), covers)) {
      return str("expected all samples to cover ", dtype);
    }
  }
  if (!d.sized) return "expected a sample of any size";
  const std::size_t refusals = d.refusals.size() + common.size();
  if (refusals < kRefusals) return str("expected ", kRefusals, " refusals, got ", refusals);
  return "";
}

void check_declared(const Declared& d, const std::vector<Refusal>& common, std::int64_t many) {
  for (const OpCheck& sample : d.samples) check_op(sample);
  check_op(d.sized(331));
  for (const OpCheck& sample : d.extremes) check_magnitudes(sample);
  // Emulated GPUs are slow, and have no use for more than a few blocks.
  OpCheck large = d.sized(default_device().is_cuda() ? many / 4 : many);
  large.dtypes = {DType::float32};
  large.gradient.elements = 2;
  check_op(large);
  for (const auto& list : {d.refusals, common}) {
    for (const Refusal& r : list) {
      INFO(d.name);
      CHECK(r.outcome() == r.message);
    }
  }
}

OpCheck enlarged(OpCheck sample, double factor, bool linear) {
  sample.name += str(" times ", factor);
  sample.inputs[0] = affine(sample.inputs[0], factor, 0);
  if (linear) {
    sample.scale *= factor;
    sample.gradient_scale *= std::max(factor, 1.0);  // some gradients do not know the factor
  }
  const bool narrow = factor > 0x1p-120 && factor < 0x1p120;
  sample.dtypes = narrow ? std::vector{DType::float32, DType::float64, DType::bfloat16}
                         : std::vector{DType::float64};
  return sample;
}

Tensor sample_ids(const Shape& shape, std::int64_t limit, const std::int64_t* other) {
  std::vector<std::int64_t> ids;
  for (std::int64_t i = 0; i < element_count(shape); ++i) {
    ids.push_back(other && i % 5 == 3 ? *other : i * i * 7 % limit);
  }
  return from_vector(ids, shape);
}

}  // namespace crocuta::test
