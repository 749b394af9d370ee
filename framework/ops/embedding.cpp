#include "kernels/embedding.h"

#include "framework/ops/operands.h"
#include "framework/ops/ops.h"
#include "framework/ops/workspace.h"
#include "framework/tensor/dispatch.h"

namespace crocuta {
namespace {

// The multi-index of element i of a tensor of this shape.
Shape unravel(std::int64_t i, const Shape& shape) {
  Shape index(shape.size());
  for (std::size_t d = shape.size(); d-- > 0;) {
    index[d] = i % shape[d];
    i /= shape[d];
  }
  return index;
}

}  // namespace

std::int64_t require_ids(const char* op, const char* name, const Tensor& ids, const Tensor& x,
                         std::int64_t limit, std::optional<std::int64_t> ignored) {
  if (ids.dtype() != DType::int64) {
    fail<DTypeError>(op, name, "int64", crocuta::name(ids.dtype()));
  }
  if (ids.device() != x.device()) {
    fail<DeviceError>(op, name, crocuta::name(x.device()), crocuta::name(ids.device()));
  }
  const Tensor list = ids.contiguous();
  const Tensor result = empty({2}, ids.options());
  detail::dispatch_device<std::int64_t>(ids.device(), [&]<class Device, class T>() {
    kernels::check_ids<Device>(list.numel(), list.data<T>(), limit, ignored, result.data<T>(),
                               current_stream(ids.device()));
  });
  const auto [first_bad, counted] = [&] {
    const auto both = result.to_vector<std::int64_t>();
    return std::pair(both[0], both[1]);
  }();
  if (first_bad < list.numel()) {
    const Tensor bad = narrow(reshape(list, {-1}), 0, first_bad, 1);
    fail<ArgumentError>(
        op, name,
        str("values in [0, ", limit, ")", ignored ? str(" or ", *ignored, " (ignored)") : ""),
        str(bad.to_vector<std::int64_t>()[0], " at ", to_string(unravel(first_bad, ids.shape()))));
  }
  return counted;
}

Tensor embedding(const Tensor& ids, const Tensor& table) {
  if (table.dim() != 2) {
    fail<ShapeError>("embedding", "table", "[vocabulary, dim]", to_string(table.shape()));
  }
  const std::int64_t vocabulary = table.size(0), dim = table.size(1);
  require_ids("embedding", "ids", ids, table, vocabulary);
  const Tensor list = ids.contiguous(), rows = table.contiguous();
  Shape shape = ids.shape();
  shape.push_back(dim);
  Tensor y = empty(std::move(shape), table.options());
  dispatch("embedding", table, [&]<class Device, class T>() {
    kernels::embedding_forward<Device, T>(list.numel(), dim, list.data<std::int64_t>(),
                                          rows.data<T>(), y.data<T>(),
                                          current_stream(table.device()));
  });
  return record(
      "embedding", std::move(y), {table},
      [ids = saved("ids", list), vocabulary, dim](const Tensor& dy) -> Grads {
        const Tensor& list = ids;
        Tensor dtable = empty({vocabulary, dim}, dy.options());
        dispatch("embedding", dy, [&]<class Device, class T>() {
          const Tensor scratch = workspace(
              kernels::embedding_backward_workspace_bytes<Device>(list.numel(), dim, vocabulary),
              dy.device());
          kernels::embedding_backward<Device, T>(
              list.numel(), dim, vocabulary, list.data<std::int64_t>(), dy.data<T>(),
              dtable.data<T>(), scratch.raw_data(), current_stream(dy.device()));
        });
        return {dtable};
      });
}

}  // namespace crocuta
