#include "distributed/collectives.h"

#include <numeric>

#include "framework/ops/ops.h"
#include "framework/tensor/strided.h"

namespace crocuta {
namespace {

// The collectives proper work on whole blocks, one per rank, in front: [P, ...]. Where a dimension
// of the user's comes in, the shape ops around them carry the gradient.
Tensor gather_blocks(const Tensor& x, const ProcessGroup& group) {
  return record("all_gather", group.all_gather(x), {x},
                [group](const Tensor& dy) -> Grads { return {group.reduce_scatter(dy)}; });
}

Tensor reduce_blocks(const Tensor& x, const ProcessGroup& group) {
  return record("reduce_scatter", group.reduce_scatter(x), {x},
                [group](const Tensor& dy) -> Grads { return {group.all_gather(dy)}; });
}

}  // namespace

Tensor all_reduce_sum(const Tensor& x, const ProcessGroup& group) {
  if (group.size() == 1) return x;
  return record("all_reduce_sum", group.all_reduce(x), {x},
                [group](const Tensor& dy) -> Grads { return {group.all_reduce(dy)}; });
}

Tensor all_gather(const Tensor& x, int dim, const ProcessGroup& group) {
  const int d = normalize_dim("all_gather", dim, x.dim());
  if (group.size() == 1) return x;
  // [P, ..., n, ...] → [..., P, n, ...] → [..., P*n, ...]
  std::vector<int> order;
  for (int i = 1; i <= x.dim(); ++i) order.push_back(i);
  order.insert(order.begin() + d, 0);
  Shape shape = x.shape();
  shape[static_cast<std::size_t>(d)] *= group.size();
  return reshape(permute(gather_blocks(x, group), order), std::move(shape));
}

Tensor reduce_scatter(const Tensor& x, int dim, const ProcessGroup& group) {
  const int d = normalize_dim("reduce_scatter", dim, x.dim());
  const std::int64_t P = group.size();
  if (x.size(d) % P != 0) {
    fail<ShapeError>("reduce_scatter", "x",
                     str("a multiple of the group's ", P, " ranks along dimension ", d),
                     to_string(x.shape()));
  }
  if (P == 1) return x;
  // [..., P*n, ...] → [..., P, n, ...] → [P, ..., n, ...]
  Shape shape = x.shape();
  shape[static_cast<std::size_t>(d)] /= P;
  shape.insert(shape.begin() + d, P);
  std::vector<int> order(shape.size());
  std::iota(order.begin(), order.end(), 0);
  order.erase(order.begin() + d);
  order.insert(order.begin(), d);
  return reduce_blocks(permute(reshape(x, std::move(shape)), order), group);
}

Tensor broadcast(const Tensor& x, int root, const ProcessGroup& group) {
  Tensor y = group.broadcast(x, root);
  if (group.size() == 1) return x;
  return record("broadcast", std::move(y), {x}, [group, root](const Tensor& dy) -> Grads {
    const Tensor total = group.all_reduce(dy);
    return {group.rank() == root ? total : zeros(dy.shape(), dy.options())};
  });
}

Tensor all_to_all(const Tensor& x, const ProcessGroup& group) {
  Tensor y = group.all_to_all(x);
  if (group.size() == 1) return x;
  return record("all_to_all", std::move(y), {x},
                [group](const Tensor& dy) -> Grads { return {group.all_to_all(dy)}; });
}

}  // namespace crocuta
