#include <algorithm>
#include <numeric>

#include "framework/ops/operands.h"
#include "framework/ops/ops.h"
#include "framework/ops/workspace.h"
#include "framework/tensor/dispatch.h"
#include "framework/tensor/strided.h"
#include "kernels/reduce.h"

namespace crocuta {
namespace {

// The sum over dimensions [first, first + count) of contiguous x, which disappear.
Tensor sum_adjacent(const char* op, const Tensor& x, int first, int count) {
  std::int64_t outer = 1, n = 1, inner = 1;
  Shape shape;
  for (int d = 0; d < x.dim(); ++d) {
    const bool reduced = d >= first && d < first + count;
    (reduced ? n : d < first ? outer : inner) *= x.size(d);
    if (!reduced) shape.push_back(x.size(d));
  }
  Tensor y = empty(shape, x.options());
  const auto run = [&]<class Device, class T>() {
    const Tensor scratch =
        workspace(kernels::sum_workspace_bytes<Device, T>(outer, n, inner), x.device());
    kernels::sum<Device, T>(outer, n, inner, x.data<T>(), y.data<T>(), scratch.raw_data(),
                            current_stream(x.device()));
  };
  if (x.dtype() == DType::int64) {
    detail::dispatch_device<std::int64_t>(x.device(), run);
  } else {
    dispatch(op, x, run);
  }
  return y;
}

std::vector<int> normalize_dims(const char* op, const Tensor& x, const std::vector<int>& dims) {
  std::vector<int> sorted;
  for (const int d : dims) sorted.push_back(normalize_dim(op, d, x.dim()));
  std::sort(sorted.begin(), sorted.end());
  if (std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end()) {
    fail<ShapeError>(op, "dims", "each dimension once", to_string(Shape(dims.begin(), dims.end())));
  }
  return sorted;
}

std::vector<int> all_dims(const Tensor& x) {
  std::vector<int> dims(static_cast<std::size_t>(x.dim()));
  std::iota(dims.begin(), dims.end(), 0);
  return dims;
}

// sum() in the name of `op`.
Tensor sum_over(const char* op, const Tensor& x, const std::vector<int>& dims, bool keepdim) {
  const std::vector<int> sorted = normalize_dims(op, x, dims);
  if (sorted.empty()) return x;
  Shape kept = x.shape();  // with the summed dimensions as 1
  for (const int d : sorted) kept[static_cast<std::size_t>(d)] = 1;
  Tensor y = x.detach().contiguous();
  // Several passes: what lies between them is not rounded to 16 bits.
  const bool one_run = sorted.back() - sorted.front() + 1 == static_cast<int>(sorted.size());
  if (!one_run) y = y.to(accumulator_dtype(x.dtype()));
  // Runs of neighbouring dimensions, from the last, so that earlier indices stay valid.
  for (auto end = sorted.size(); end > 0;) {
    auto begin = end - 1;
    while (begin > 0 && sorted[begin - 1] == sorted[begin] - 1) --begin;
    y = sum_adjacent(op, y, sorted[begin], static_cast<int>(end - begin));
    end = begin;
  }
  y = y.to(x.dtype());
  if (keepdim) y = reshape(y, kept);
  return record(op, std::move(y), {x}, [from = x.shape(), kept](const Tensor& dy) -> Grads {
    return {expand(reshape(dy, kept), from)};
  });
}
}  // namespace

Tensor sum(const Tensor& x, const std::vector<int>& dims, bool keepdim) {
  return sum_over("sum", x, dims, keepdim);
}

Tensor sum(const Tensor& x) {
  return sum(x, all_dims(x));
}

Tensor mean(const Tensor& x, const std::vector<int>& dims, bool keepdim) {
  if (!is_floating(x.dtype())) detail::not_floating("mean", x.dtype());
  std::int64_t count = 1;
  for (const int d : normalize_dims("mean", x, dims)) count *= x.size(d);
  // A 16-bit sum could overflow where the mean does not.
  const Tensor total = sum(x.to(accumulator_dtype(x.dtype())), dims, keepdim);
  return affine(total, 1.0 / static_cast<double>(count), 0).to(x.dtype());
}

Tensor mean(const Tensor& x) {
  return mean(x, all_dims(x));
}

namespace {
// In the type of sums, which 16-bit results are rounded from.
Tensor variance(const char* op, const Tensor& x, const std::vector<int>& dims,
                std::int64_t correction, bool keepdim) {
  if (!is_floating(x.dtype())) detail::not_floating(op, x.dtype());
  std::int64_t count = 1;
  for (const int d : normalize_dims(op, x, dims)) count *= x.size(d);
  if (count <= correction) {
    fail<ShapeError>(op, "x", str("more than ", correction, " elements to take it of"),
                     str(count, " of ", to_string(x.shape())));
  }
  const Tensor wide = x.to(accumulator_dtype(x.dtype()));
  const Tensor squares = square(wide - mean(wide, dims, true));
  return affine(sum(squares, dims, keepdim), 1.0 / static_cast<double>(count - correction), 0);
}
}  // namespace

Tensor var(const Tensor& x, const std::vector<int>& dims, std::int64_t correction, bool keepdim) {
  return variance("var", x, dims, correction, keepdim).to(x.dtype());
}

Tensor std(const Tensor& x, const std::vector<int>& dims, std::int64_t correction, bool keepdim) {
  return sqrt(variance("std", x, dims, correction, keepdim)).to(x.dtype());
}

Tensor squared_norm(const Tensor& x) {
  const Tensor input = x.detach().contiguous();
  Tensor y = empty({}, {DType::float64, x.device()});
  dispatch("squared_norm", x, [&]<class Device, class T>() {
    const Tensor scratch =
        workspace(kernels::sum_of_squares_workspace_bytes<Device, T>(x.numel()), x.device());
    kernels::sum_of_squares<Device, T>(x.numel(), input.data<T>(), y.data<double>(),
                                       scratch.raw_data(), current_stream(x.device()));
  });
  return y;
}

Tensor sum_to(const Tensor& x, const Shape& shape) {
  if (x.shape() == shape) return x;
  std::vector<int> dims;
  const int added = x.dim() - static_cast<int>(shape.size());
  bool fits = added >= 0;
  for (int d = 0; fits && d < x.dim(); ++d) {
    const std::int64_t kept = d < added ? 1 : shape[static_cast<std::size_t>(d - added)];
    fits = kept == 1 || kept == x.size(d);
    if (d < added || kept != x.size(d)) dims.push_back(d);
  }
  if (!fits) {
    fail<ShapeError>("sum_to", "shape", str("one that broadcasts to ", to_string(x.shape())),
                     to_string(shape));
  }
  return reshape(sum_over("sum_to", x, dims, true), shape);
}

}  // namespace crocuta
