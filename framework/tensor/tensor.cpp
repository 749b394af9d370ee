#include "framework/tensor/tensor.h"

#include <cmath>
#include <ostream>

#include "framework/device/allocator.h"
#include "framework/device/device_copy.h"
#include "framework/tensor/autograd.h"
#include "framework/tensor/dispatch.h"
#include "framework/tensor/strided.h"
#include "kernels/copy.h"

namespace crocuta {

std::string to_string(const Shape& shape) {
  std::ostringstream out;
  out << '[';
  for (std::size_t d = 0; d < shape.size(); ++d) out << (d ? ", " : "") << shape[d];
  out << ']';
  return out.str();
}

std::int64_t element_count(const Shape& shape) {
  std::int64_t count = 1;
  bool overflow = false;
  // Sizes of zero make the product zero, but must not hide an overflow in what is beside them.
  std::int64_t nonzero = 8;
  for (const std::int64_t size : shape) {
    if (size < 0) {
      fail<ArgumentError>("element_count", "shape", "sizes of at least 0", to_string(shape));
    }
    count *= size == 0 ? 0 : 1;
    overflow |= __builtin_mul_overflow(nonzero, size == 0 ? 1 : size, &nonzero);
  }
  if (overflow) {
    fail<ArgumentError>("element_count", "shape", "at most 2^63 bytes", to_string(shape));
  }
  return count == 0 ? 0 : nonzero / 8;
}

Shape contiguous_strides(const Shape& shape) {
  Shape strides(shape.size());
  std::int64_t stride = 1;
  for (std::size_t d = shape.size(); d-- > 0;) {
    strides[d] = stride;
    stride *= std::max<std::int64_t>(shape[d], 1);
  }
  return strides;
}

Storage::Storage(Device device, std::size_t bytes)
    : device(device),
      bytes(bytes),
      stream(current_stream(device)),
      data(allocate(device, bytes, stream)) {}
Storage::~Storage() {
  deallocate(device, data, bytes, stream);
}

Tensor::Tensor(std::shared_ptr<Storage> storage, Shape shape, Shape strides, std::int64_t offset,
               DType dtype)
    : impl_(std::make_shared<Impl>()) {
  if (shape.size() > kMaxDims) {
    fail<ShapeError>("Tensor", "shape", str("at most ", kMaxDims, " dimensions"), to_string(shape));
  }
  impl_->storage = std::move(storage);
  impl_->numel = element_count(shape);
  impl_->shape = std::move(shape);
  impl_->strides = std::move(strides);
  impl_->offset = offset;
  impl_->dtype = dtype;
}

void Tensor::undefined() {
  throw ArgumentError(
      "Tensor: 'this': expected a tensor with a value, got an undefined one "
      "(default-constructed or moved from)");
}

void Tensor::wrong_type(DType wanted) const {
  fail<DTypeError>("Tensor::data", "T", name(dtype()), name(wanted));
}

std::int64_t Tensor::size(int d) const {
  if (d < -dim() || d >= dim()) {
    fail<ShapeError>("Tensor::size", "d", str("a dimension of ", to_string(shape())), str(d));
  }
  return shape()[static_cast<std::size_t>(d < 0 ? d + dim() : d)];
}

bool Tensor::is_contiguous() const {
  std::int64_t stride = 1;
  for (int d = dim() - 1; d >= 0; --d) {
    const auto i = static_cast<std::size_t>(d);
    if (shape()[i] == 0) return true;
    if (shape()[i] != 1 && strides()[i] != stride) return false;
    stride *= shape()[i];
  }
  return true;
}

void* Tensor::raw_data() const {
  auto* bytes = static_cast<std::byte*>(storage()->data);
  return bytes == nullptr ? nullptr
                          : bytes + offset() * static_cast<std::int64_t>(size_of(dtype()));
}

double Tensor::item() const {
  if (numel() != 1) {
    fail<ShapeError>("Tensor::item", "this", "one element", to_string(shape()));
  }
  return to_vector<double>()[0];
}

template <class T>
std::vector<T> Tensor::to_vector() const {
  const NoGrad guard;
  const Tensor here = to(Device::cpu());
  const Tensor copy = empty(shape(), {dtype_of<T>, Device::cpu()});
  copy.copy_(here);
  if (numel() == 0) return {};
  return {copy.data<T>(), copy.data<T>() + numel()};
}
template std::vector<float> Tensor::to_vector() const;
template std::vector<double> Tensor::to_vector() const;
template std::vector<std::int64_t> Tensor::to_vector() const;
template std::vector<std::int32_t> Tensor::to_vector() const;

Tensor Tensor::clone() const {
  const Tensor copy = empty(shape(), options());
  copy.copy_(detach());
  return copy;
}

Tensor Tensor::detach() const {
  return {storage(), shape(), strides(), offset(), dtype()};
}

void Tensor::require_outside_graph(const char* what) const {
  if (autograd::is_recording() && requires_grad()) {
    throw ArgumentError(str(what,
                            ": 'this': expected a tensor outside the graph, got one that "
                            "requires a gradient (change it under NoGrad)"));
  }
}

void Tensor::copy_(const Tensor& source) const {
  require_outside_graph("copy_");
  if (source.device() != device()) {
    const Tensor whole = source.detach().contiguous();
    if (whole.dtype() == dtype() && whole.shape() == shape() && is_contiguous()) {
      copy_bytes(device(), raw_data(), whole.device(), whole.raw_data(),
                 static_cast<std::size_t>(numel()) * size_of(dtype()));
      bump_version();
    } else {
      copy_(whole.to(device()));
    }
    return;
  }
  const kernels::StridedShape<2> walk =
      strided_shape<2>(shape(), {strides(), broadcast_strides("copy_", source, shape())});
  dispatch_any(*this, [&]<class Device, class To>() {
    dispatch_any(source, [&]<class Same, class From>() {
      if constexpr (std::is_same_v<Same, Device>) {
        kernels::copy<Device, To, From>(walk, data<To>(), source.data<From>(),
                                        current_stream(device()));
      }
    });
  });
  bump_version();
}

void Tensor::fill_(double value) const {
  require_outside_graph("fill_");
  if (!is_contiguous()) {
    copy_(full({}, value, options()));
    return;
  }
  dispatch_any(*this, [&]<class Device, class T>() {
    kernels::fill<Device, T>(numel(), kernels::convert<T>(value), data<T>(),
                             current_stream(device()));
  });
  bump_version();
}

void Tensor::set_data(const Tensor& source) const {
  if (impl().node) {
    throw ArgumentError("set_data: 'this': expected a leaf, got the result of an op");
  }
  if (impl().requires_grad && !is_floating(source.dtype())) {
    fail<DTypeError>("set_data", "source", "a floating dtype", name(source.dtype()));
  }
  const Impl& from = source.impl();
  impl().storage = from.storage;
  impl().shape = from.shape;
  impl().strides = from.strides;
  impl().offset = from.offset;
  impl().numel = from.numel;
  impl().dtype = from.dtype;
  impl().grad = {};
}

bool Tensor::requires_grad() const {
  return impl().requires_grad || impl().node != nullptr;
}

const Tensor& Tensor::set_requires_grad(bool value) const {
  if (value && !is_floating(dtype())) {
    fail<DTypeError>("set_requires_grad", "this", "a floating dtype", name(dtype()));
  }
  if (impl().node) {
    throw ArgumentError("set_requires_grad: 'this': expected a leaf, got the result of an op");
  }
  impl().requires_grad = value;
  return *this;
}

Tensor Tensor::grad() const {
  return impl().grad;
}

void Tensor::set_grad(const Tensor& grad) const {
  if (grad.defined()) {
    if (grad.shape() != shape()) {
      fail<ShapeError>("set_grad", "grad", to_string(shape()), to_string(grad.shape()));
    }
    if (grad.dtype() != dtype()) {
      fail<DTypeError>("set_grad", "grad", name(dtype()), name(grad.dtype()));
    }
    if (grad.device() != device()) {
      fail<DeviceError>("set_grad", "grad", name(device()), name(grad.device()));
    }
  }
  impl().grad = grad;
}

void Tensor::set_node(std::shared_ptr<autograd::Node> node) const {
  impl().node = std::move(node);
}

void Tensor::backward() const {
  if (numel() != 1) {
    fail<ShapeError>("backward", "this", "one element, or a dy given to backward(dy)",
                     to_string(shape()));
  }
  autograd::backward(*this, ones(shape(), options()));
}

void Tensor::backward(const Tensor& dy) const {
  autograd::backward(*this, dy);
}

Tensor empty(Shape shape, TensorOptions options) {
  if (shape.size() > Tensor::kMaxDims) {
    fail<ShapeError>("empty", "shape", str("at most ", Tensor::kMaxDims, " dimensions"),
                     to_string(shape));
  }
  require_available("empty", options.device);
  const auto bytes = static_cast<std::size_t>(element_count(shape)) * size_of(options.dtype);
  auto storage = std::make_shared<Storage>(options.device, bytes);
  Shape strides = contiguous_strides(shape);
  return {std::move(storage), std::move(shape), std::move(strides), 0, options.dtype};
}

Tensor full(Shape shape, double value, TensorOptions options) {
  Tensor result = empty(std::move(shape), options);
  result.fill_(value);
  return result;
}
Tensor zeros(Shape shape, TensorOptions options) {
  return full(std::move(shape), 0, options);
}
Tensor ones(Shape shape, TensorOptions options) {
  return full(std::move(shape), 1, options);
}

Tensor arange(std::int64_t n, TensorOptions options) {
  Tensor result = empty({n}, options);
  dispatch_any(result, [&]<class Device, class T>() {
    kernels::iota<Device, T>(n, T{}, result.data<T>(), current_stream(options.device));
  });
  return result;
}

Tensor arange(std::int64_t start, std::int64_t stop, std::int64_t step, TensorOptions options) {
  if (step == 0) fail<ArgumentError>("arange", "step", "a number other than 0", "0");
  std::vector<std::int64_t> values;
  for (std::int64_t i = start; step > 0 ? i < stop : i > stop; i += step) values.push_back(i);
  const auto n = static_cast<std::int64_t>(values.size());
  return from_vector(values, {n}, options);
}

Tensor linspace(double first, double last, std::int64_t n, TensorOptions options) {
  std::vector<double> values(static_cast<std::size_t>(element_count({n})));
  const double step = n < 2 ? 0 : (last - first) / static_cast<double>(n - 1);
  for (std::int64_t i = 0; i < n; ++i) {  // exact at both ends
    values[static_cast<std::size_t>(i)] = i < n / 2 || n == 1
                                              ? first + static_cast<double>(i) * step
                                              : last - static_cast<double>(n - 1 - i) * step;
  }
  return from_vector(values, {n}, options);
}

Tensor eye(std::int64_t n, TensorOptions options) {
  std::vector<double> values(static_cast<std::size_t>(element_count({n, n})), 0);
  for (std::size_t i = 0; i < values.size(); i += static_cast<std::size_t>(n) + 1) values[i] = 1;
  return from_vector(values, {n, n}, options);
}

Tensor zeros_like(const Tensor& x) {
  return zeros(x.shape(), x.options());
}
Tensor ones_like(const Tensor& x) {
  return ones(x.shape(), x.options());
}
Tensor full_like(const Tensor& x, double value) {
  return full(x.shape(), value, x.options());
}

template <class T>
Tensor from_vector(const std::vector<T>& values, Shape shape, TensorOptions options) {
  if (element_count(shape) != static_cast<std::int64_t>(values.size())) {
    fail<ShapeError>("from_vector", "values", str(element_count(shape), " for ", to_string(shape)),
                     str(values.size()));
  }
  const Tensor host = empty(std::move(shape), {dtype_of<T>, Device::cpu()});
  std::copy(values.begin(), values.end(), host.data<T>());
  return host.to(options.device).to(options.dtype);
}
template Tensor from_vector(const std::vector<float>&, Shape, TensorOptions);
template Tensor from_vector(const std::vector<double>&, Shape, TensorOptions);
template Tensor from_vector(const std::vector<bfloat16>&, Shape, TensorOptions);
template Tensor from_vector(const std::vector<float16>&, Shape, TensorOptions);
template Tensor from_vector(const std::vector<std::int64_t>&, Shape, TensorOptions);
template Tensor from_vector(const std::vector<std::int32_t>&, Shape, TensorOptions);

Tensor tensor(std::initializer_list<double> values, TensorOptions options) {
  return from_vector(std::vector<double>(values), {static_cast<std::int64_t>(values.size())},
                     options);
}

bool equal(const Tensor& a, const Tensor& b) {
  if (a.shape() != b.shape() || a.dtype() != b.dtype()) return false;
  return is_floating(a.dtype()) ? a.to_vector<double>() == b.to_vector<double>()
                                : a.to_vector<std::int64_t>() == b.to_vector<std::int64_t>();
}

bool allclose(const Tensor& a, const Tensor& b, double rtol, double atol) {
  if (a.shape() != b.shape()) return false;
  const auto x = a.to_vector<double>(), y = b.to_vector<double>();
  for (std::size_t i = 0; i < x.size(); ++i) {
    const bool finite = std::isfinite(x[i]) && std::isfinite(y[i]);
    const bool near = finite && std::abs(x[i] - y[i]) <= atol + rtol * std::abs(y[i]);
    if (x[i] != y[i] && !near) return false;
  }
  return true;
}

std::ostream& operator<<(std::ostream& out, const Tensor& tensor) {
  if (!tensor.defined()) return out << "Tensor()";
  out << "Tensor(" << to_string(tensor.shape()) << ", " << tensor.dtype() << ", " << tensor.device()
      << ", {";
  constexpr std::int64_t kShown = 256;
  if (tensor.numel() > kShown) return out << tensor.numel() << " elements})";
  const char* separator = "";
  for (const double value : tensor.to_vector<double>()) {
    out << separator << value;
    separator = ", ";
  }
  return out << "})";
}

}  // namespace crocuta
