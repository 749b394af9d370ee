#include "framework/tensor/strided.h"

#include <algorithm>

namespace crocuta {

Shape broadcast_shapes(const char* op, const Shape& a, const Shape& b) {
  Shape result(std::max(a.size(), b.size()));
  for (std::size_t i = 1; i <= result.size(); ++i) {
    const std::int64_t in_a = i <= a.size() ? a[a.size() - i] : 1;
    const std::int64_t in_b = i <= b.size() ? b[b.size() - i] : 1;
    if (in_a != in_b && in_a != 1 && in_b != 1) {
      fail<ShapeError>(op, "b", str("a shape that broadcasts with ", to_string(a)), to_string(b));
    }
    result[result.size() - i] = in_a == 1 ? in_b : in_a;
  }
  return result;
}

Shape broadcast_strides(const char* op, const Tensor& x, const Shape& shape) {
  Shape strides(shape.size(), 0);
  bool fits = x.shape().size() <= shape.size();
  for (std::size_t i = 1; fits && i <= x.shape().size(); ++i) {
    const std::int64_t size = x.shape()[x.shape().size() - i];
    const std::int64_t wanted = shape[shape.size() - i];
    fits = size == wanted || size == 1;
    if (size == wanted) strides[shape.size() - i] = x.strides()[x.shape().size() - i];
  }
  if (!fits) {
    fail<ShapeError>(op, "shape", str("one that ", to_string(x.shape()), " broadcasts to"),
                     to_string(shape));
  }
  return strides;
}

int normalize_dim(const char* op, int dim, int dims) {
  if (dim < -dims || dim >= dims) {
    fail<ShapeError>(op, "dim", str("from ", -dims, " to ", dims - 1), str(dim));
  }
  return dim < 0 ? dim + dims : dim;
}

}  // namespace crocuta
