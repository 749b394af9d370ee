#include <algorithm>
#include <array>
#include <string_view>

#include "framework/ops/gemm.h"
#include "framework/ops/operands.h"
#include "framework/ops/ops.h"
#include "framework/ops/workspace.h"
#include "framework/tensor/dispatch.h"
#include "kernels/reduce.h"

namespace crocuta {
namespace {

using kernels::GemmBias;
using kernels::GemmShape;

// Throws unless x has `in` at dimension `dim` (described by `expected`), and weight and bias fit.
void check(const char* op, const Tensor& x, int dim, const char* expected, const Tensor& weight,
           const Tensor& bias) {
  if (weight.dim() != 2) fail<ShapeError>(op, "weight", "[out, in]", to_string(weight.shape()));
  const bool any_rank = std::string_view(expected).starts_with("[...");
  if (any_rank ? x.dim() < 1 : x.dim() != 3) {
    fail<ShapeError>(op, "x", expected, to_string(x.shape()));
  }
  require_same_kind(op, "weight", x, weight);
  if (x.size(dim) != weight.size(1)) {
    fail<ShapeError>(
        op, "x",
        str(expected, " with in = ", weight.size(1), " for weight ", to_string(weight.shape())),
        to_string(x.shape()));
  }
  if (!bias.defined()) return;
  require_same_kind(op, "bias", x, bias);
  if (bias.shape() != Shape{weight.size(0)}) {
    fail<ShapeError>(op, "bias", to_string(Shape{weight.size(0)}), to_string(bias.shape()));
  }
}

// `batch` products of matrices without gaps.
GemmShape product(std::int64_t m, std::int64_t n, std::int64_t k, bool trans_a, bool trans_b,
                  std::int64_t batch = 1) {
  GemmShape s{trans_a, trans_b, m, n, k};
  s.lda = std::max<std::int64_t>(trans_a ? m : k, 1);
  s.ldb = std::max<std::int64_t>(trans_b ? k : n, 1);
  s.ldc = std::max<std::int64_t>(n, 1);
  s.batch = batch;
  s.stride_a = m * k;
  s.stride_b = k * n;
  s.stride_c = m * n;
  return s;
}

GemmShape shared_a(GemmShape s) {
  s.stride_a = 0;
  return s;
}
GemmShape shared_b(GemmShape s) {
  s.stride_b = 0;
  return s;
}
GemmShape summed(GemmShape s) {
  s.sum_batch = true;
  s.stride_c = 0;
  return s;
}

Tensor multiply(const char* op, const GemmShape& s, const Tensor& a, const Tensor& b, Shape shape,
                GemmBias kind = GemmBias::none, const Tensor& bias = {}) {
  Tensor c = empty(std::move(shape), a.options());
  run_gemm(op, s, a, b, c, {}, bias.defined() ? kind : GemmBias::none, bias);
  return c;
}

// Which of an op's inputs need a gradient; an undefined one does not.
std::array<bool, 3> wants(const std::array<Tensor, 3>& inputs) {
  const auto needs = [](const Tensor& x) { return x.defined() && x.requires_grad(); };
  return {needs(inputs[0]), needs(inputs[1]), needs(inputs[2])};
}

// x without gaps, outside the graph; an undefined tensor stays so.
Tensor contiguous(const Tensor& x) {
  return x.defined() ? x.detach().contiguous() : x;
}

// The sum of dy over all but its channels: dy [rows, out].
Tensor sum_rows(const Tensor& dy, std::int64_t rows, std::int64_t out) {
  Tensor db = empty({out}, dy.options());
  dispatch("linear", dy, [&]<class Device, class T>() {
    const Tensor scratch =
        workspace(kernels::sum_workspace_bytes<Device, T>(1, rows, out), dy.device());
    kernels::sum<Device, T>(1, rows, out, dy.data<T>(), db.data<T>(), scratch.raw_data(),
                            current_stream(dy.device()));
  });
  return db;
}

// The same: dy [batch, out, length].
Tensor sum_channels(const Tensor& dy) {
  Tensor db = empty({dy.size(1)}, dy.options());
  dispatch("linear_to_channels", dy, [&]<class Device, class T>() {
    const std::int64_t B = dy.size(0), C = dy.size(1), L = dy.size(2);
    const Tensor scratch =
        workspace(kernels::channel_sum_workspace_bytes<Device, T>(B, C, L), dy.device());
    kernels::channel_sum<Device, T>(B, C, L, dy.data<T>(), db.data<T>(), scratch.raw_data(),
                                    current_stream(dy.device()));
  });
  return db;
}
}  // namespace

Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  check("linear", x, -1, "[..., in]", weight, bias);
  const std::int64_t in = weight.size(1), out = weight.size(0);
  const std::int64_t rows = element_count({x.shape().begin(), x.shape().end() - 1});
  const Tensor input = x.detach().contiguous(), w = weight.detach().contiguous();
  Shape shape = x.shape();
  shape.back() = out;
  Tensor y = multiply("linear", product(rows, out, in, false, true), input, w, std::move(shape),
                      GemmBias::per_column, contiguous(bias));
  return record(
      "linear", y, {x, weight, bias},
      [x = saved("x", input), w = saved("weight", w), wants = wants({x, weight, bias}), rows, in,
       out](const Tensor& dy) -> Grads {
        Grads grads(3);
        if (wants[0]) {
          grads[0] =
              multiply("linear", product(rows, in, out, false, false), dy, w, x.get().shape());
        }
        if (wants[1]) {
          grads[1] = multiply("linear", product(out, in, rows, true, false), dy, x, {out, in});
        }
        if (wants[2]) grads[2] = sum_rows(dy, rows, out);
        return grads;
      });
}

Tensor linear_to_channels(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  const char* const op = "linear_to_channels";
  check(op, x, 2, "[B, L, in]", weight, bias);
  const std::int64_t B = x.size(0), L = x.size(1), in = weight.size(1), out = weight.size(0);
  const Tensor input = x.detach().contiguous(), w = weight.detach().contiguous();
  Tensor y = multiply(op, shared_a(product(out, L, in, false, true, B)), w, input, {B, out, L},
                      GemmBias::per_row, contiguous(bias));
  return record(
      op, y, {x, weight, bias},
      [op, x = saved("x", input), w = saved("weight", w), wants = wants({x, weight, bias}), B, L,
       in, out](const Tensor& dy) -> Grads {
        Grads grads(3);
        if (wants[0]) {
          grads[0] = multiply(op, shared_b(product(L, in, out, true, false, B)), dy, w, {B, L, in});
        }
        if (wants[1]) {
          grads[1] = multiply(op, summed(product(out, in, L, false, false, B)), dy, x, {out, in});
        }
        if (wants[2]) grads[2] = sum_channels(dy);
        return grads;
      });
}

Tensor linear_from_channels(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  const char* const op = "linear_from_channels";
  check(op, x, 1, "[B, in, L]", weight, bias);
  const std::int64_t B = x.size(0), L = x.size(2), in = weight.size(1), out = weight.size(0);
  const Tensor input = x.detach().contiguous(), w = weight.detach().contiguous();
  Tensor y = multiply(op, shared_b(product(L, out, in, true, true, B)), input, w, {B, L, out},
                      GemmBias::per_column, contiguous(bias));
  return record(
      op, y, {x, weight, bias},
      [op, x = saved("x", input), w = saved("weight", w), wants = wants({x, weight, bias}), B, L,
       in, out](const Tensor& dy) -> Grads {
        Grads grads(3);
        if (wants[0]) {
          grads[0] = multiply(op, shared_a(product(in, L, out, true, true, B)), w, dy, {B, in, L});
        }
        if (wants[1]) {
          grads[1] = multiply(op, summed(product(out, in, L, true, true, B)), dy, x, {out, in});
        }
        if (wants[2]) grads[2] = sum_rows(dy, B * L, out);
        return grads;
      });
}

}  // namespace crocuta
