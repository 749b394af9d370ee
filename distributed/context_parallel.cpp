#include "distributed/context_parallel.h"

#include "distributed/collectives.h"
#include "framework/ops/ops.h"
#include "framework/tensor/strided.h"

namespace crocuta {

std::vector<int> chunk_order(Sharding sharding, int ranks) {
  std::vector<int> order;
  for (int r = 0; r < ranks; ++r) {
    order.push_back(r);
    if (sharding == Sharding::zigzag) order.push_back(2 * ranks - 1 - r);
  }
  return order;
}

namespace {

// How a sequence lies on the ranks: rank r holds `pieces` chunks of `length` samples.
struct Layout {
  std::vector<int> order;
  int pieces;
  std::int64_t length;

  // Where piece j of rank r starts in the whole sequence.
  std::int64_t start(int r, int j) const {
    return order[static_cast<std::size_t>(r * pieces + j)] * length;
  }
};

// Throws ShapeError, naming `op` and x's shape, unless the chunks divide `total` samples.
Layout make_layout(const char* op, const Shape& shape, std::int64_t total, int ranks,
                   Sharding sharding) {
  Layout layout{.order = chunk_order(sharding, ranks), .pieces = 1, .length = 0};
  const auto chunks = static_cast<std::int64_t>(layout.order.size());
  if (total % chunks != 0) {
    fail<ShapeError>(
        op, "x",
        str("a sequence length that is a multiple of ", chunks, " chunks on ", ranks, " ranks"),
        str(total, " in ", to_string(shape)));
  }
  layout.pieces = static_cast<int>(chunks) / ranks;
  layout.length = total / chunks;
  return layout;
}

void require_3d(const char* op, const char* expected, const Tensor& x) {
  if (x.dim() != 3) fail<ShapeError>(op, "x", expected, to_string(x.shape()));
}

// The all_to_all of a re-sharding. Marking the packed blocks lets the ranks compare whether the
// backward pass will come this way, too.
Tensor exchange_blocks(const Tensor& blocks, const Tensor& x, const ProcessGroup& group) {
  if (!x.requires_grad()) return group.all_to_all(blocks);
  return group.all_to_all(blocks.detach().set_requires_grad());
}

// x [B, C, L/P] → [B, C/P, L], outside the graph.
Tensor gather_sequence(const Tensor& x, const ProcessGroup& group, const Layout& layout) {
  const NoGrad no_grad;
  const std::int64_t P = group.size(), B = x.size(0), C = x.size(1), part = x.size(2);
  const Tensor blocks = permute(reshape(x, {B, P, C / P, part}), {1, 0, 2, 3}).contiguous();
  const Tensor received = exchange_blocks(blocks, x, group);
  const Tensor y = empty({B, C / P, part * P}, x.options());
  for (int r = 0; r < group.size(); ++r) {
    const Tensor from = select(received, 0, r);
    for (int j = 0; j < layout.pieces; ++j) {
      narrow(y, 2, layout.start(r, j), layout.length)
          .copy_(narrow(from, 2, j * layout.length, layout.length));
    }
  }
  return y;
}

// x [B, C/P, L] → [B, C, L/P], outside the graph.
Tensor scatter_sequence(const Tensor& x, const ProcessGroup& group, const Layout& layout) {
  const NoGrad no_grad;
  const std::int64_t P = group.size(), B = x.size(0), C = x.size(1) * P, part = x.size(2) / P;
  const Tensor blocks = empty({P, B, C / P, part}, x.options());
  for (int r = 0; r < group.size(); ++r) {
    const Tensor to = select(blocks, 0, r);
    for (int j = 0; j < layout.pieces; ++j) {
      narrow(to, 2, j * layout.length, layout.length)
          .copy_(narrow(x, 2, layout.start(r, j), layout.length));
    }
  }
  const Tensor received = exchange_blocks(blocks, x, group);
  return reshape(permute(received, {1, 0, 2, 3}), {B, C, part});
}

}  // namespace

Tensor seq_to_channel(const Tensor& x, const ProcessGroup& group, Sharding sharding) {
  constexpr const char* kName = "seq_to_channel";
  require_3d(kName, "[B, C, L/P]", x);
  const int P = group.size();
  if (x.size(1) % P != 0) {
    fail<ShapeError>(kName, "x", str("[B, C, L/P] with C a multiple of the group's ", P, " ranks"),
                     to_string(x.shape()));
  }
  if (P == 1) return x;
  const Layout layout = make_layout(kName, x.shape(), x.size(2) * P, P, sharding);
  return record(
      kName, gather_sequence(x, group, layout), {x},
      [group, layout](const Tensor& dy) -> Grads { return {scatter_sequence(dy, group, layout)}; });
}

Tensor channel_to_seq(const Tensor& x, const ProcessGroup& group, Sharding sharding) {
  constexpr const char* kName = "channel_to_seq";
  require_3d(kName, "[B, C/P, L]", x);
  const int P = group.size();
  if (P == 1) return x;
  const Layout layout = make_layout(kName, x.shape(), x.size(2), P, sharding);
  return record(
      kName, scatter_sequence(x, group, layout), {x},
      [group, layout](const Tensor& dy) -> Grads { return {gather_sequence(dy, group, layout)}; });
}

Tensor shard_sequence(const Tensor& x, int dim, const ProcessGroup& group, Sharding sharding) {
  constexpr const char* kName = "shard_sequence";
  const int d = normalize_dim(kName, dim, x.dim());
  if (group.size() == 1) return x;
  const Layout layout = make_layout(kName, x.shape(), x.size(d), group.size(), sharding);
  std::vector<Tensor> pieces;
  for (int j = 0; j < layout.pieces; ++j) {
    pieces.push_back(narrow(x, d, layout.start(group.rank(), j), layout.length));
  }
  return pieces.size() == 1 ? pieces[0] : cat(pieces, d);
}

Tensor unshard(const Tensor& x, int dim, const ProcessGroup& group, Sharding sharding) {
  constexpr const char* kName = "unshard";
  const int d = normalize_dim(kName, dim, x.dim());
  const int P = group.size();
  if (P == 1) return x;
  const Layout layout = make_layout(kName, x.shape(), x.size(d) * P, P, sharding);
  const Tensor gathered = all_gather(x, d, group);
  if (layout.pieces == 1) return gathered;
  std::vector<Tensor> chunks(layout.order.size());
  for (std::size_t i = 0; i < chunks.size(); ++i) {
    chunks[static_cast<std::size_t>(layout.order[i])] =
        narrow(gathered, d, static_cast<std::int64_t>(i) * layout.length, layout.length);
  }
  return cat(chunks, d);
}

Tensor local_positions(std::int64_t length, const ProcessGroup& group, Sharding sharding,
                       Device device) {
  const Tensor all = arange(length, {DType::int64, device});
  return shard_sequence(all, 0, group, sharding).contiguous();
}

ParallelContext make_parallel(const ProcessGroup& world, int context_parallel) {
  if (context_parallel < 1 || world.size() % context_parallel != 0) {
    fail<ArgumentError>("context parallel", "size",
                        str("a positive divisor of the ", world.size(), " ranks"),
                        str(context_parallel));
  }
  const int rank = world.rank();
  return {.world = world,
          .data_parallel = world.split(rank % context_parallel, rank),
          .context_parallel = world.split(rank / context_parallel, rank)};
}

}  // namespace crocuta
