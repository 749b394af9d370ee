#include <algorithm>
#include <cmath>

#include "framework/ops/ops.h"
#include "tests/cases/declared.h"

namespace crocuta::test {
namespace {

using std::int64_t;

// The batch index of a result, as an index into an operand whose batch is `from`.
int64_t operand_batch(int64_t i, const Shape& batch, const Shape& from) {
  int64_t result = 0, step = 1;
  for (std::size_t d = 1; d <= batch.size(); ++d) {
    const int64_t size = batch[batch.size() - d], at = i % size;
    i /= size;
    if (d > from.size() || from[from.size() - d] == 1) continue;
    result += at * step;
    step *= size;
  }
  return result;
}

Tensor matmul_oracle(const Tensors& x) {
  const Tensor &a = x[0], &b = x[1];
  const int64_t m = a.size(-2), k = a.size(-1), n = b.size(-1);
  const Shape in_a(a.shape().begin(), a.shape().end() - 2);
  const Shape in_b(b.shape().begin(), b.shape().end() - 2);
  Shape batch = in_a.size() > in_b.size() ? in_a : in_b;
  for (std::size_t d = 1; d <= std::min(in_a.size(), in_b.size()); ++d) {
    const int64_t sa = in_a[in_a.size() - d], sb = in_b[in_b.size() - d];
    batch[batch.size() - d] = sa == 1 ? sb : sa;
  }
  const std::vector<double> va = a.to_vector<double>(), vb = b.to_vector<double>();
  std::vector<double> y;
  for (int64_t p = 0; p < element_count(batch); ++p) {
    const int64_t first_a = operand_batch(p, batch, in_a) * m * k;
    const int64_t first_b = operand_batch(p, batch, in_b) * k * n;
    for (int64_t i = 0; i < m; ++i) {
      for (int64_t j = 0; j < n; ++j) {
        long double sum = 0;
        for (int64_t l = 0; l < k; ++l) {
          sum += va[index(first_a + i * k + l)] * vb[index(first_b + l * n + j)];
        }
        y.push_back(static_cast<double>(sum));
      }
    }
  }
  Shape shape = batch;
  shape.push_back(m);
  shape.push_back(n);
  return from_vector(y, shape);
}

OpCheck matmul_of(const Shape& a, const Shape& b) {
  // Every element sums k terms below 4; a gradient may sum all of the other operand's.
  const auto terms = static_cast<double>(a.back() + 2);
  const auto all = static_cast<double>(element_count(a) + element_count(b) + 1);
  return {.name = str("matmul", to_string(a), to_string(b)),
          .fn = [](const Tensors& x) { return matmul(x[0], x[1]); },
          .oracle = matmul_oracle,
          .inputs = {sample(a, -2, 2, 11), sample(b, -2, 2, 12)},
          .rounding = terms,
          .scale = 4 * terms,
          .gradient_scale = 2 * all,
          .gradient = {.elements = 16, .same_bits = false}};
}

Declared declared_matmul() {
  Declared d{.name = "matmul", .arguments = {"a", "b"}};
  for (const int64_t n : {1, 2, 7, 16, 17}) d.samples.push_back(matmul_of({n, n}, {n, n}));
  for (const double factor : {0x1p100, 0x1p-100, 0x1p1000}) {
    d.extremes.push_back(enlarged(matmul_of({7, 17}, {17, 5}), factor, true));
  }
  const std::vector<std::pair<Shape, Shape>> shapes = {{{3, 5}, {5, 2}},
                                                       {{1, 31}, {31, 1}},
                                                       {{31, 1}, {1, 31}},
                                                       {{64, 33}, {33, 65}},
                                                       // Leading dimensions broadcast.
                                                       {{4, 3, 5}, {4, 5, 2}},
                                                       {{4, 3, 5}, {5, 2}},
                                                       {{3, 5}, {4, 5, 2}},
                                                       {{1, 3, 5}, {4, 5, 2}},
                                                       {{4, 3, 5}, {1, 5, 2}},
                                                       {{2, 3, 4, 5}, {5, 6}},
                                                       {{2, 3, 4, 5}, {2, 3, 5, 6}},
                                                       {{2, 1, 4, 5}, {3, 5, 6}},
                                                       {{2, 1, 4, 5}, {1, 3, 5, 6}},
                                                       {{2, 1, 3, 4, 5}, {4, 1, 5, 2}},
                                                       // Sizes of zero.
                                                       {{0, 3}, {3, 2}},
                                                       {{2, 3}, {3, 0}},
                                                       {{2, 0}, {0, 3}},
                                                       {{0, 2, 3}, {3, 4}},
                                                       {{4, 2, 0}, {4, 0, 3}}};
  for (const auto& [a, b] : shapes) d.samples.push_back(matmul_of(a, b));
  d.sized = [](int64_t n) {
    const auto side = static_cast<int64_t>(std::sqrt(static_cast<double>(n)));
    return matmul_of({side, side}, {side, std::min<int64_t>(side, 64)});
  };
  const auto misfit = [](const char* message, const Shape& a, const Shape& b) {
    return refusal<ShapeError>(message, [=] { matmul(zeros(a), zeros(b)); });
  };
  d.refusals = {
      misfit("matmul: 'a': expected [..., m, k], got [3]", {3}, {2, 3}),
      misfit("matmul: 'b': expected [..., k, n], got [3]", {2, 3}, {3}),
      misfit("matmul: 'b': expected [..., 3, n] to go with a [2, 3], got [2, 4]", {2, 3}, {2, 4}),
      misfit("matmul: 'b': expected batch dimensions that broadcast with those of a [4, 2, 3], "
             "got [5, 3, 2]",
             {4, 2, 3}, {5, 3, 2})};
  return d;
}

// y[r, o] = sum over i of x[r, i] weight[o, i] + bias[o], x [rows, in].
std::vector<double> rows_times(const Tensor& x, const Tensors& inputs) {
  const Tensor& weight = inputs[1];
  const int64_t out = weight.size(0), in = weight.size(1);
  const std::vector<double> vx = x.to_vector<double>(), w = weight.to_vector<double>();
  const std::vector<double> bias =
      inputs.size() > 2 ? inputs[2].to_vector<double>() : std::vector<double>(index(out), 0.0);
  std::vector<double> y;
  for (int64_t r = 0; r < x.size(0); ++r) {
    for (int64_t o = 0; o < out; ++o) {
      long double sum = bias[index(o)];
      for (int64_t i = 0; i < in; ++i) sum += vx[index(r * in + i)] * w[index(o * in + i)];
      y.push_back(static_cast<double>(sum));
    }
  }
  return y;
}

struct Form {
  const char* name;
  Tensor (*op)(const Tensor&, const Tensor&, const Tensor&);
  bool channels_in, channels_out;
};

OpCheck linear_of(const Form& form, int64_t B, int64_t L, int64_t in, int64_t out, bool bias) {
  Tensors inputs = {sample(form.channels_in ? Shape{B, in, L} : Shape{B, L, in}, -1, 1, 1),
                    sample({out, in}, -1, 1, 2)};
  if (bias) inputs.push_back(sample({out}, -1, 1, 3));
  const auto oracle = [form, B, L, in, out](const Tensors& x) {
    const Tensor rows = reshape(form.channels_in ? transpose(x[0], 1, 2) : x[0], {B * L, in});
    const Tensor y = from_vector(rows_times(rows, x), {B, L, out});
    return form.channels_out ? transpose(y, 1, 2).contiguous() : y;
  };
  const auto terms = static_cast<double>(in + 2);
  return {.name = str(form.name, " B ", B, " L ", L, " in ", in, " out ", out, " bias ", bias),
          .fn = [form](const Tensors& x) { return form.op(x[0], x[1], input_or_none(x, 2)); },
          .oracle = oracle,
          .inputs = inputs,
          .rounding = terms,
          .scale = terms,
          .gradient_scale = static_cast<double>(B * L + out + 1),
          .gradient = {.elements = 16, .same_bits = false}};
}

Declared linear_form(const Form& form) {
  Declared d{.name = form.name, .arguments = {"x", "weight", "bias"}, .optional = 1};
  for (const bool bias : {true, false}) {
    d.samples.push_back(linear_of(form, 2, 5, 3, 4, bias));
    d.samples.push_back(linear_of(form, 1, 1, 1, 1, bias));
    d.samples.push_back(linear_of(form, 3, 17, 8, 1, bias));
    d.samples.push_back(linear_of(form, 2, 1, 9, 16, bias));
  }
  d.samples.push_back(linear_of(form, 1, 33, 31, 15, true));
  d.samples.push_back(linear_of(form, 0, 5, 3, 4, true));
  d.samples.push_back(linear_of(form, 2, 0, 3, 4, true));
  d.samples.push_back(linear_of(form, 2, 5, 0, 4, true));
  d.samples.push_back(linear_of(form, 2, 5, 3, 0, true));
  d.sized = [form](int64_t n) { return linear_of(form, 2, n / 64 + 1, 16, 48, true); };
  const char* const name = form.name;
  const auto misfit = [=](const std::string& what, const Shape& x, const Shape& weight,
                          const Shape& bias) {
    return refusal<ShapeError>(str(name, ": ", what),
                               [=] { form.op(zeros(x), zeros(weight), zeros(bias)); });
  };
  const bool any_rank = !form.channels_in && !form.channels_out;
  const char* const expected = any_rank           ? "[..., in]"
                               : form.channels_in ? "[B, in, L]"
                                                  : "[B, L, in]";
  d.refusals = {misfit("'weight': expected [out, in], got [3]", {2, 3, 3}, {3}, {4}),
                misfit("'bias': expected [4], got [3]", {2, 3, 3}, {4, 3}, {3}),
                misfit("'bias': expected [4], got [4, 1]", {2, 3, 3}, {4, 3}, {4, 1}),
                misfit(str("'x': expected ", expected,
                           " with in = 3 for weight [4, 3], got "
                           "[2, 5, 5]"),
                       {2, 5, 5}, {4, 3}, {4})};
  if (any_rank) {
    d.refusals.push_back(misfit("'x': expected [..., in], got []", {}, {4, 3}, {4}));
  } else {
    d.refusals.push_back(
        misfit(str("'x': expected ", expected, ", got [5, 3]"), {5, 3}, {4, 3}, {4}));
  }
  return d;
}

}  // namespace

std::vector<Declared> declared_products() {
  return {declared_matmul(), linear_form({"linear", linear, false, false}),
          linear_form({"linear_to_channels", linear_to_channels, false, true}),
          linear_form({"linear_from_channels", linear_from_channels, true, false})};
}

}  // namespace crocuta::test
