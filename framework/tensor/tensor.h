// Tensor: a value handle on a strided n-dimensional array.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <iosfwd>
#include <memory>
#include <string>
#include <vector>

#include "framework/base/error.h"
#include "framework/device/device.h"
#include "framework/tensor/dtype.h"

namespace crocuta {

using Shape = std::vector<std::int64_t>;

// "[2, 3]"
std::string to_string(const Shape& shape);
// The number of elements of `shape`. Throws ArgumentError for a negative size or if the number of
// elements times 8 bytes overflows int64.
std::int64_t element_count(const Shape& shape);
// Row-major strides, in elements.
Shape contiguous_strides(const Shape& shape);

struct TensorOptions {
  DType dtype = DType::float32;
  Device device = default_device();

  bool operator==(const TensorOptions&) const = default;
};

// A block of memory that several tensors may view. `version` counts in-place changes, so that
// autograd notices when a tensor it kept has been overwritten.
struct Storage {
  Storage(Device device, std::size_t bytes);
  ~Storage();
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;

  const Device device;
  const std::size_t bytes;
  const kernels::Stream stream;  // that the memory belongs to, see framework/device/allocator.h
  void* const data;
  std::uint64_t version = 0;
};

namespace autograd {
struct Node;
}

// Copying a Tensor copies the handle: both see the same elements and the same gradient. Operations
// are free functions (framework/ops/ops.h). At most kMaxDims dimensions. Using an undefined tensor
// (default-constructed or moved from) throws ArgumentError.
class Tensor {
 public:
  static constexpr int kMaxDims = 8;

  Tensor() = default;
  // A view of `storage`: strides and offset in elements. The op layer builds these; users call the
  // factories below.
  Tensor(std::shared_ptr<Storage> storage, Shape shape, Shape strides, std::int64_t offset,
         DType dtype);

  bool defined() const { return impl_ != nullptr; }

  const Shape& shape() const;
  const Shape& strides() const;
  std::int64_t offset() const;
  int dim() const { return static_cast<int>(shape().size()); }
  // The size of dimension `d`; negative counts from the end. Throws ShapeError out of range.
  std::int64_t size(int d) const;
  std::int64_t numel() const;
  DType dtype() const;
  Device device() const;
  TensorOptions options() const { return {dtype(), device()}; }
  // Row-major without gaps.
  bool is_contiguous() const;
  const std::shared_ptr<Storage>& storage() const;

  // The first element. Throws DTypeError if T is not the element type. On a CUDA device the pointer
  // is a device pointer.
  template <class T>
  T* data() const {
    if (dtype_of<T> != dtype()) wrong_type(dtype_of<T>);
    return static_cast<T*>(raw_data());
  }
  void* raw_data() const;

  // The value of a one-element tensor of any dtype.
  double item() const;
  // All elements in row-major order, converted, on the CPU.
  template <class T = float>
  std::vector<T> to_vector() const;

  // This tensor with another element type or on another device, or itself if nothing changes.
  // Gradients flow back through both.
  Tensor to(DType dtype) const;
  Tensor to(Device device) const;
  Tensor to(TensorOptions options) const { return to(options.device).to(options.dtype); }
  // Itself if contiguous, else a contiguous copy. Gradients flow.
  Tensor contiguous() const;
  // A contiguous copy with storage of its own; no gradient flows.
  Tensor clone() const;
  // The same elements, outside the graph.
  Tensor detach() const;

  // In-place changes. Throw if a graph would be falsified: the tensor requires a gradient and
  // gradients are being recorded (see NoGrad).
  // Copies `source` (broadcast to this shape; any dtype, any device) into this tensor.
  void copy_(const Tensor& source) const;
  void fill_(double value) const;
  // Says that the elements were changed through data().
  void bump_version() const { ++storage()->version; }

  // Makes every handle of this leaf see source's elements, of whatever shape, dtype and device, in
  // place of its own; its gradient is cleared. Throws ArgumentError for the result of an op, and
  // DTypeError if a gradient is required that source's dtype cannot have.
  void set_data(const Tensor& source) const;

  // True if gradients flow to or through this tensor.
  bool requires_grad() const;
  // Makes this leaf collect a gradient. Throws DTypeError for integer types. Returns *this.
  const Tensor& set_requires_grad(bool value = true) const;
  // The gradient collected by backward(), or an undefined tensor.
  Tensor grad() const;
  // Replaces the gradient (undefined clears it). Throws unless shape, dtype and device agree.
  void set_grad(const Tensor& grad) const;
  // Adds the gradient of this one-element tensor to every leaf it depends on
  // (framework/tensor/autograd.h).
  void backward() const;
  // The same for any shape, given dy = d(objective)/d(this).
  void backward(const Tensor& dy) const;
  // The op that made this tensor; null for leaves.
  const std::shared_ptr<autograd::Node>& node() const;
  void set_node(std::shared_ptr<autograd::Node> node) const;

  // Two handles of one tensor.
  bool is_same(const Tensor& other) const { return impl_ == other.impl_; }
  // True if no other handle or view sees this tensor's elements.
  bool is_sole_owner() const { return impl_.use_count() == 1 && storage().use_count() == 1; }
  // A value that handles of one tensor share, to tell tensors apart in maps.
  const void* identity() const { return impl_.get(); }

 private:
  struct Impl;
  Impl& impl() const {
    if (!impl_) undefined();
    return *impl_;
  }
  [[noreturn]] static void undefined();
  [[noreturn]] void wrong_type(DType wanted) const;
  void require_outside_graph(const char* what) const;

  std::shared_ptr<Impl> impl_;
};

struct Tensor::Impl {
  std::shared_ptr<Storage> storage;
  Shape shape, strides;
  std::int64_t offset = 0;  // in elements
  std::int64_t numel = 0;
  DType dtype = DType::float32;
  bool requires_grad = false;            // of a leaf
  Tensor grad;                           // of a leaf
  std::shared_ptr<autograd::Node> node;  // of any other tensor that gradients flow through
};

inline const Shape& Tensor::shape() const {
  return impl().shape;
}
inline const Shape& Tensor::strides() const {
  return impl().strides;
}
inline std::int64_t Tensor::offset() const {
  return impl().offset;
}
inline std::int64_t Tensor::numel() const {
  return impl().numel;
}
inline DType Tensor::dtype() const {
  return impl().dtype;
}
inline Device Tensor::device() const {
  return impl().storage->device;
}
inline const std::shared_ptr<Storage>& Tensor::storage() const {
  return impl().storage;
}
inline const std::shared_ptr<autograd::Node>& Tensor::node() const {
  return impl().node;
}

// Factories. Shapes as {2, 3}; options as {.dtype = DType::float64}.
Tensor empty(Shape shape, TensorOptions options = {});
Tensor zeros(Shape shape, TensorOptions options = {});
Tensor ones(Shape shape, TensorOptions options = {});
Tensor full(Shape shape, double value, TensorOptions options = {});
// 0, 1, ..., n - 1
Tensor arange(std::int64_t n, TensorOptions options = {.dtype = DType::int64});
// start, start + step, ... as long as it is before stop; step != 0
Tensor arange(std::int64_t start, std::int64_t stop, std::int64_t step = 1,
              TensorOptions options = {.dtype = DType::int64});
// n numbers at equal distances, the first and the last included.
Tensor linspace(double first, double last, std::int64_t n, TensorOptions options = {});
// The identity matrix [n, n].
Tensor eye(std::int64_t n, TensorOptions options = {});
// Of x's shape, dtype and device.
Tensor zeros_like(const Tensor& x);
Tensor ones_like(const Tensor& x);
Tensor full_like(const Tensor& x, double value);
// The values in row-major order. Throws ShapeError unless there are as many as `shape` holds.
template <class T>
Tensor from_vector(const std::vector<T>& values, Shape shape, TensorOptions options);
template <class T>
Tensor from_vector(const std::vector<T>& values, Shape shape, Device device = default_device()) {
  return from_vector(values, std::move(shape), TensorOptions{dtype_of<T>, device});
}
// A float32 tensor of one dimension: tensor({1, 2, 3}).
Tensor tensor(std::initializer_list<double> values, TensorOptions options = {});

// True if shapes, dtypes and all elements agree, on whatever devices; NaN equals nothing.
bool equal(const Tensor& a, const Tensor& b);
// True if shapes agree and |a - b| <= atol + rtol |b| everywhere; infinities are equal to themselves.
bool allclose(const Tensor& a, const Tensor& b, double rtol = 1e-5, double atol = 1e-8);

// Shape, dtype, device and (up to a few hundred) values, as text.
std::ostream& operator<<(std::ostream& out, const Tensor& tensor);

}  // namespace crocuta
