#include "distributed/process_group.h"

#include <algorithm>
#include <utility>

#include "distributed/backends/host_backend.h"
#include "distributed/buffers.h"
#include "framework/ops/ops.h"

namespace crocuta {

using distributed::Backend;
using distributed::Call;

struct ProcessGroup::State {
  std::shared_ptr<Backend> backend;  // null where this rank is not a member
  bool destroyed = false;
  std::uint64_t sequence = 0;
};

ProcessGroup::ProcessGroup() : ProcessGroup(distributed::make_self_backend(CommOptions{})) {}

const ProcessGroup& ProcessGroup::self() {
  static thread_local const ProcessGroup group;
  return group;
}

ProcessGroup::ProcessGroup(std::shared_ptr<Backend> backend)
    : state_(std::make_shared<State>(State{.backend = std::move(backend)})) {}

const std::shared_ptr<Backend>& ProcessGroup::backend() const {
  alive();
  return state_->backend;
}

Backend& ProcessGroup::alive() const {
  if (state_->destroyed) throw CommError("process group: used after destroy()");
  if (!state_->backend) {
    throw CommError("process group: this rank is not a member (it gave split() a negative color)");
  }
  return *state_->backend;
}

int ProcessGroup::rank() const {
  return alive().rank();
}
int ProcessGroup::size() const {
  return alive().size();
}
const CommOptions& ProcessGroup::options() const {
  return alive().options;
}
const CommStats& ProcessGroup::stats() const {
  return alive().stats;
}
void ProcessGroup::reset_stats() const {
  alive().stats = {};
}
void ProcessGroup::set_check_collectives(bool on) const {
  alive().options.check_collectives = on;
}

void ProcessGroup::set_timeout(std::chrono::milliseconds timeout) const {
  if (timeout.count() <= 0) {
    fail<ArgumentError>("process group", "timeout", "more than 0 ms", str(timeout.count()));
  }
  alive().options.timeout = timeout;
}

void ProcessGroup::destroy() const {
  alive();
  state_->destroyed = true;
  state_->backend.reset();
}

Backend& ProcessGroup::begin(Call& call) const {
  Backend& backend = alive();
  call.sequence = ++state_->sequence;
  ++backend.stats[call.collective].calls;
  return backend;
}

Backend& ProcessGroup::begin(Call& call, const Tensor& x) const {
  call.dtype = x.dtype();
  call.recorded = x.requires_grad();
  call.dims = x.dim();
  std::copy(x.shape().begin(), x.shape().end(), call.shape.begin());
  Backend& backend = begin(call);
  backend.stats[call.collective].elements += static_cast<std::uint64_t>(x.numel());
  return backend;
}

namespace {

void require_one_block_per_rank(Collective collective, const Tensor& x, int size) {
  if (x.dim() > 0 && x.size(0) == size) return;
  fail<ShapeError>(distributed::name(collective), "x",
                   str("[", size, ", ...], one block for each rank"), to_string(x.shape()));
}

Shape without_first(const Shape& shape) {
  return {shape.begin() + 1, shape.end()};
}

}  // namespace

Tensor ProcessGroup::run(Function function, Call& call, const Tensor& x, Shape result,
                         std::int64_t count) const {
  const Backend& backend = alive();
  const Device place = backend.buffers_for(x.device());
  if (backend.size() == 1 && place != x.device()) {  // nobody to go by way of the host for
    const Tensor y = reshape(x.detach().clone(), std::move(result));
    begin(call, x);
    return y;
  }
  call.memory = place.kind;
  distributed::Buffers buffers(x, std::move(result), place);
  (begin(call, x).*function)(call, buffers.in(), buffers.out(), count);
  return buffers.result();
}

ProcessGroup ProcessGroup::split(int color, int key) const {
  Call call{.collective = Collective::split};
  Backend& backend = begin(call);
  return ProcessGroup(backend.split(call, color, key));
}

Tensor ProcessGroup::all_to_all(const Tensor& x) const {
  Call call{.collective = Collective::all_to_all};
  require_one_block_per_rank(call.collective, x, size());
  return run(&Backend::all_to_all, call, x, x.shape(), x.numel() / size());
}

Tensor ProcessGroup::all_reduce(const Tensor& x, ReduceOp op) const {
  Call call{.collective = Collective::all_reduce, .reduce = op};
  return run(&Backend::all_reduce, call, x, x.shape(), x.numel());
}

Tensor ProcessGroup::all_gather(const Tensor& x) const {
  Call call{.collective = Collective::all_gather};
  Shape shape = x.shape();
  shape.insert(shape.begin(), size());
  return run(&Backend::all_gather, call, x, std::move(shape), x.numel());
}

Tensor ProcessGroup::reduce_scatter(const Tensor& x, ReduceOp op) const {
  Call call{.collective = Collective::reduce_scatter, .reduce = op};
  require_one_block_per_rank(call.collective, x, size());
  return run(&Backend::reduce_scatter, call, x, without_first(x.shape()), x.numel() / size());
}

Tensor ProcessGroup::broadcast(const Tensor& x, int root) const {
  Call call{.collective = Collective::broadcast, .root = root};
  if (root < 0 || root >= size()) {
    fail<CommError>("broadcast", "root", str("a rank from 0 to ", size() - 1), str(root));
  }
  return run(&Backend::broadcast, call, x, x.shape(), x.numel());
}

void ProcessGroup::barrier() const {
  Call call{.collective = Collective::barrier};
  begin(call).barrier(call);
}

}  // namespace crocuta
