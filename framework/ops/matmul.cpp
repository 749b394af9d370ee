#include <algorithm>
#include <limits>

#include "framework/ops/gemm.h"
#include "framework/ops/operands.h"
#include "framework/ops/ops.h"
#include "framework/tensor/strided.h"

namespace crocuta {
namespace {

Shape batch_of(const Shape& shape) {
  return {shape.begin(), shape.end() - 2};
}

// The last two dimensions as a BLAS takes them: rows, or columns if `trans`, lie `ld` apart and are
// themselves without gaps. Other views are copied.
struct Matrices {
  explicit Matrices(const Tensor& x) : tensor(x.detach()) {
    if (!fits()) {
      tensor = tensor.contiguous();
      fits();
    }
  }

  Tensor tensor;
  bool trans = false;
  std::int64_t ld = 1;

 private:
  bool fits() {
    const std::int64_t rows = tensor.size(-2), columns = tensor.size(-1);
    const std::int64_t down = tensor.strides().end()[-2], right = tensor.strides().end()[-1];
    trans = !walks(rows, columns, down, right);
    return !trans || walks(columns, rows, right, down);
  }
  // Sets ld if `count` runs of `length` elements, `step` apart, have no gaps within them.
  bool walks(std::int64_t count, std::int64_t length, std::int64_t step, std::int64_t within) {
    const std::int64_t least = std::max<std::int64_t>(length, 1);
    ld = count > 1 ? step : least;
    return (length <= 1 || within == 1) && ld >= least;
  }
};

// The strides of x's batch dimensions when stretched to `batch`.
Shape batch_strides(const Tensor& x, const Shape& batch) {
  const Shape& strides = x.strides();
  const Tensor matrices(x.storage(), batch_of(x.shape()), {strides.begin(), strides.end() - 2},
                        x.offset(), x.dtype());
  return broadcast_strides("matmul", matrices, batch);
}

// A batch that shares B is one product with more rows; a sum over a batch is one with a longer k.
kernels::GemmShape merged(kernels::GemmShape s) {
  if (s.batch <= 1 || s.k > std::numeric_limits<std::int32_t>::max() / s.batch) return s;
  if (s.sum_batch) {
    if (s.trans_a && !s.trans_b && s.stride_a == s.k * s.lda && s.stride_b == s.k * s.ldb) {
      s.k *= s.batch;
      s.batch = 1;
    }
  } else if (!s.trans_a && s.stride_b == 0 && s.stride_a == s.m * s.lda &&
             s.stride_c == s.m * s.ldc) {
    s.m *= s.batch;
    s.batch = 1;
  }
  return s;
}

Shape with_matrix(Shape batch, std::int64_t m, std::int64_t n) {
  batch.push_back(m);
  batch.push_back(n);
  return batch;
}

// a b for every matrix of `batch`, which both broadcast to. Where `wanted` has 1 and `batch` has
// more, or lacks a dimension, products are summed.
Tensor multiply(const Tensor& a_in, const Tensor& b_in, const Shape& batch, const Shape& wanted) {
  const Matrices a(a_in), b(b_in);
  const std::int64_t m = a_in.size(-2), n = b_in.size(-1), k = a_in.size(-1);
  // One sum over the whole batch is left to the kernel; other sums are taken afterwards.
  const bool sum_all = wanted != batch && element_count(wanted) == 1;
  const Tensor c = empty(with_matrix(sum_all ? wanted : batch, m, n), a_in.options());
  const auto walk =
      strided_shape<3>(batch, {batch_strides(a.tensor, batch), batch_strides(b.tensor, batch),
                               sum_all ? Shape(batch.size(), 0) : batch_strides(c, batch)});
  const int last = walk.dims - 1;
  if (sum_all && last > 0) return sum_to(multiply(a_in, b_in, batch, batch), c.shape());

  kernels::GemmShape s{a.trans, b.trans, m, n, k, a.ld, b.ld, std::max<std::int64_t>(n, 1)};
  s.batch = walk.size[last];
  s.stride_a = walk.stride[0][last];
  s.stride_b = walk.stride[1][last];
  s.stride_c = walk.stride[2][last];
  s.sum_batch = sum_all;
  s = merged(s);
  // The kernel walks the innermost batch dimension; the outer ones, rarely there, are walked here.
  std::int64_t outer = 1;
  for (int d = 0; d < last; ++d) outer *= walk.size[d];
  for (std::int64_t i = 0; i < outer; ++i) {
    GemmOffsets offsets;
    std::int64_t rest = i;
    for (int d = last - 1; d >= 0; --d) {
      const std::int64_t index = rest % walk.size[d];
      rest /= walk.size[d];
      offsets.a += index * walk.stride[0][d];
      offsets.b += index * walk.stride[1][d];
      offsets.c += index * walk.stride[2][d];
    }
    run_gemm("matmul", s, a.tensor, b.tensor, c, offsets);
  }
  return sum_all ? c : sum_to(c, with_matrix(wanted, m, n));
}

Shape check(const Tensor& a, const Tensor& b) {
  if (a.dim() < 2) fail<ShapeError>("matmul", "a", "[..., m, k]", to_string(a.shape()));
  if (b.dim() < 2) fail<ShapeError>("matmul", "b", "[..., k, n]", to_string(b.shape()));
  require_same_kind("matmul", "b", a, b);
  if (b.size(-2) != a.size(-1)) {
    fail<ShapeError>("matmul", "b",
                     str("[..., ", a.size(-1), ", n] to go with a ", to_string(a.shape())),
                     to_string(b.shape()));
  }
  try {
    return broadcast_shapes("matmul", batch_of(a.shape()), batch_of(b.shape()));
  } catch (const ShapeError&) {
    fail<ShapeError>("matmul", "b",
                     str("batch dimensions that broadcast with those of a ", to_string(a.shape())),
                     to_string(b.shape()));
  }
}
}  // namespace

Tensor matmul(const Tensor& a, const Tensor& b) {
  const Shape batch = check(a, b);
  return record("matmul", multiply(a, b, batch, batch), {a, b},
                [a = saved("a", a), b = saved("b", b), batch, da = a.requires_grad(),
                 db = b.requires_grad()](const Tensor& dy) -> Grads {
                  Grads grads(2);
                  if (da) {
                    grads[0] = multiply(dy, transpose(b, -2, -1), batch, batch_of(a.get().shape()));
                  }
                  if (db) {
                    grads[1] = multiply(transpose(a, -2, -1), dy, batch, batch_of(b.get().shape()));
                  }
                  return grads;
                });
}

}  // namespace crocuta
