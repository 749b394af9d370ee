#include <algorithm>
#include <numeric>

#include "framework/ops/operands.h"
#include "framework/ops/ops.h"
#include "framework/tensor/strided.h"

namespace crocuta {
namespace {

Tensor view(const Tensor& x, Shape shape, Shape strides, std::int64_t offset) {
  return {x.storage(), std::move(shape), std::move(strides), offset, x.dtype()};
}

// `shape` with its -1, if any, worked out.
Shape resolve(const Tensor& x, Shape shape) {
  std::int64_t known = 1;
  const Shape wanted = shape;
  auto unknown = shape.end();
  bool valid = true;
  for (auto size = shape.begin(); size != shape.end(); ++size) {
    if (*size == -1) {
      valid = valid && unknown == shape.end();
      unknown = size;
    } else {
      valid = valid && *size >= 0 && !__builtin_mul_overflow(known, *size, &known);
    }
  }
  if (valid && unknown != shape.end()) {
    valid = known > 0 && x.numel() % known == 0;
    if (valid) *unknown = x.numel() / known;
  }
  if (!valid || element_count(shape) != x.numel()) {
    fail<ShapeError>("reshape", "shape",
                     str("a shape of ", x.numel(), " elements, as x ", to_string(x.shape())),
                     to_string(wanted));
  }
  return shape;
}

// Every step-th element of dimension dim, `length` of them from `start` on, under the name `op`. The
// gradient is zero in between.
Tensor take(const char* op, const Tensor& x, int dim, std::int64_t start, std::int64_t length,
            std::int64_t step) {
  const auto d = static_cast<std::size_t>(dim);
  Shape shape = x.shape(), strides = x.strides();
  shape[d] = length;
  const std::int64_t offset = length == 0 ? x.offset() : x.offset() + start * strides[d];
  strides[d] *= step;
  return record(op, view(x, shape, strides, offset), {x},
                [op, from = x.shape(), dim, start, step](const Tensor& dy) -> Grads {
                  const Tensor dx = zeros(from, dy.options());
                  take(op, dx, dim, start, dy.size(dim), step).copy_(dy);
                  return {dx};
                });
}
}  // namespace

Tensor reshape(const Tensor& x, Shape shape) {
  shape = resolve(x, std::move(shape));
  const Tensor input = x.contiguous();
  Shape strides = contiguous_strides(shape);
  return record("reshape", view(input, std::move(shape), std::move(strides), input.offset()),
                {input},
                [from = x.shape()](const Tensor& dy) -> Grads { return {reshape(dy, from)}; });
}

Tensor permute(const Tensor& x, const std::vector<int>& order) {
  std::vector<int> dims;
  for (const int d : order) dims.push_back(normalize_dim("permute", d, x.dim()));
  std::vector<int> inverse(dims.size(), -1);
  for (std::size_t i = 0; i < dims.size(); ++i) {
    inverse[static_cast<std::size_t>(dims[i])] = static_cast<int>(i);
  }
  if (static_cast<int>(dims.size()) != x.dim() ||
      std::find(inverse.begin(), inverse.end(), -1) != inverse.end()) {
    fail<ShapeError>("permute", "order", str("each of ", x.dim(), " dimensions once"),
                     to_string(Shape(order.begin(), order.end())));
  }
  Shape shape, strides;
  for (const int d : dims) {
    shape.push_back(x.size(d));
    strides.push_back(x.strides()[static_cast<std::size_t>(d)]);
  }
  return record("permute", view(x, std::move(shape), std::move(strides), x.offset()), {x},
                [inverse](const Tensor& dy) -> Grads { return {permute(dy, inverse)}; });
}

Tensor transpose(const Tensor& x, int a, int b) {
  a = normalize_dim("transpose", a, x.dim());
  b = normalize_dim("transpose", b, x.dim());
  std::vector<int> order(static_cast<std::size_t>(x.dim()));
  std::iota(order.begin(), order.end(), 0);
  std::swap(order[static_cast<std::size_t>(a)], order[static_cast<std::size_t>(b)]);
  return permute(x, order);
}

Tensor narrow(const Tensor& x, int dim, std::int64_t start, std::int64_t length) {
  dim = normalize_dim("narrow", dim, x.dim());
  if (start < 0 || length < 0 || start > x.size(dim) || length > x.size(dim) - start) {
    fail<ShapeError>("narrow", "start, length",
                     str("a range within dimension ", dim, " of ", to_string(x.shape())),
                     str(start, ", ", length));
  }
  return take("narrow", x, dim, start, length, 1);
}

Tensor slice(const Tensor& x, int dim, std::int64_t start, std::int64_t stop, std::int64_t step) {
  dim = normalize_dim("slice", dim, x.dim());
  if (step < 1) fail<ArgumentError>("slice", "step", "at least 1", str(step));
  const std::int64_t size = x.size(dim);
  const auto within = [size](std::int64_t i) {
    return std::clamp<std::int64_t>(i < 0 ? i + size : i, 0, size);
  };
  start = within(start);
  const std::int64_t span = std::max<std::int64_t>(within(stop) - start, 0);
  return take("slice", x, dim, start, span / step + (span % step != 0), step);
}

Tensor select(const Tensor& x, int dim, std::int64_t index) {
  dim = normalize_dim("select", dim, x.dim());
  if (index < -x.size(dim) || index >= x.size(dim)) {
    fail<ShapeError>("select", "index",
                     str("an index into dimension ", dim, " of ", to_string(x.shape())),
                     str(index));
  }
  return squeeze(narrow(x, dim, index < 0 ? index + x.size(dim) : index, 1), dim);
}

Tensor unsqueeze(const Tensor& x, int dim) {
  dim = normalize_dim("unsqueeze", dim, x.dim() + 1);
  Shape shape = x.shape(), strides = x.strides();
  const std::int64_t stride =
      dim < x.dim() ? strides[static_cast<std::size_t>(dim)] * shape[static_cast<std::size_t>(dim)]
                    : 1;
  shape.insert(shape.begin() + dim, 1);
  strides.insert(strides.begin() + dim, stride);
  return record("unsqueeze", view(x, std::move(shape), std::move(strides), x.offset()), {x},
                [dim](const Tensor& dy) -> Grads { return {squeeze(dy, dim)}; });
}

Tensor squeeze(const Tensor& x, int dim) {
  dim = normalize_dim("squeeze", dim, x.dim());
  if (x.size(dim) != 1) {
    fail<ShapeError>("squeeze", "dim", "a dimension of size 1",
                     str(dim, " of ", to_string(x.shape())));
  }
  Shape shape = x.shape(), strides = x.strides();
  shape.erase(shape.begin() + dim);
  strides.erase(strides.begin() + dim);
  return record("squeeze", view(x, std::move(shape), std::move(strides), x.offset()), {x},
                [dim](const Tensor& dy) -> Grads { return {unsqueeze(dy, dim)}; });
}

Tensor expand(const Tensor& x, const Shape& shape) {
  return record("expand", view(x, shape, broadcast_strides("expand", x, shape), x.offset()), {x},
                [from = x.shape()](const Tensor& dy) -> Grads { return {sum_to(dy, from)}; });
}

Tensor cat(const std::vector<Tensor>& xs, int dim) {
  if (xs.empty()) fail<ArgumentError>("cat", "xs", "at least one tensor", "none");
  const Tensor& first = xs.front();
  dim = normalize_dim("cat", dim, first.dim());
  const auto d = static_cast<std::size_t>(dim);
  Shape shape = first.shape();
  shape[d] = 0;
  for (const Tensor& x : xs) {
    require_same_kind("cat", "xs", first, x);
    Shape others = x.shape();
    if (others.size() == shape.size()) others[d] = first.size(dim);
    if (others != first.shape()) {
      fail<ShapeError>("cat", "xs",
                       str("sizes of ", to_string(first.shape()), " in all but dimension ", dim),
                       to_string(x.shape()));
    }
    shape[d] += x.size(dim);
  }
  Tensor y = empty(shape, first.options());
  Shape lengths;
  std::int64_t start = 0;
  for (const Tensor& x : xs) {
    narrow(y, dim, start, x.size(dim)).copy_(x.detach());
    lengths.push_back(x.size(dim));
    start += x.size(dim);
  }
  return record("cat", std::move(y), xs, [lengths, dim](const Tensor& dy) -> Grads {
    Grads grads;
    std::int64_t from = 0;
    for (const std::int64_t length : lengths) {
      grads.push_back(narrow(dy, dim, from, length));
      from += length;
    }
    return grads;
  });
}

Tensor stack(const std::vector<Tensor>& xs, int dim) {
  if (xs.empty()) fail<ArgumentError>("stack", "xs", "at least one tensor", "none");
  dim = normalize_dim("stack", dim, xs.front().dim() + 1);
  std::vector<Tensor> layers;
  for (const Tensor& x : xs) {
    require_same_kind("stack", "xs", xs.front(), x);
    if (x.shape() != xs.front().shape()) {
      fail<ShapeError>("stack", "xs", to_string(xs.front().shape()), to_string(x.shape()));
    }
    layers.push_back(unsqueeze(x, dim));
  }
  return cat(layers, dim);
}

std::vector<Tensor> split(const Tensor& x, std::int64_t size, int dim) {
  dim = normalize_dim("split", dim, x.dim());
  if (size < 1) fail<ArgumentError>("split", "size", "at least 1", str(size));
  std::vector<Tensor> parts;
  std::int64_t start = 0;
  do {
    parts.push_back(narrow(x, dim, start, std::min(size, x.size(dim) - start)));
    start += parts.back().size(dim);
  } while (start < x.size(dim));
  return parts;
}

std::vector<Tensor> chunk(const Tensor& x, std::int64_t count, int dim) {
  dim = normalize_dim("chunk", dim, x.dim());
  if (count < 1) fail<ArgumentError>("chunk", "count", "at least 1", str(count));
  const std::int64_t size = x.size(dim) / count + (x.size(dim) % count != 0);
  return split(x, std::max<std::int64_t>(size, 1), dim);
}

Tensor repeat_interleave(const Tensor& x, std::int64_t repeats, int dim) {
  dim = normalize_dim("repeat_interleave", dim, x.dim());
  if (repeats < 0) {
    fail<ArgumentError>("repeat_interleave", "repeats", "at least 0", str(repeats));
  }
  Shape stretched = x.shape();
  stretched.insert(stretched.begin() + dim + 1, repeats);
  Shape shape = x.shape();
  shape[static_cast<std::size_t>(dim)] *= repeats;
  return reshape(expand(unsqueeze(x, dim + 1), stretched), shape);
}

}  // namespace crocuta
