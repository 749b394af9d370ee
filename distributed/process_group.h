// ProcessGroup: ranks that work together, and what they can do with each other's tensors.
#pragma once

#include <memory>
#include <vector>

#include "distributed/backends/backend.h"

namespace crocuta {

// A value handle on a group of ranks; never null. A default-constructed one is the group of the
// caller alone, on which every collective is the identity.
//
// Collectives are called by all ranks of the group, in the same order, with tensors of the same
// shape and dtype, and, since a recorded collective has another one in its backward pass, all or
// none requiring a gradient. They return new tensors, outside the autograd graph; the
// differentiable ones are in distributed/collectives.h. Results are on the device of the tensor
// given; non-contiguous tensors are copied first. Reductions add in rank order: the same bits on
// every rank, in every run and with every backend; 16-bit types are summed in float32 and rounded
// once.
//
// Tensors on a GPU travel from GPU to GPU, and the host does not wait for them, if the ranks have
// NCCL for it (see distributed::on_device). Else they go by way of the host, which waits for what
// the current stream holds. All ranks must have theirs on a GPU, or none.
//
// All throw CommError: when the group is destroyed or does not contain this rank (before anything
// is sent), when the ranks' calls differ (see CommOptions::check_collectives), when another rank
// has failed, or has not joined within the timeout. For what travels from GPU to GPU that may be
// found out later, and be thrown by the next collective or by what waits for the GPU.
class ProcessGroup {
 public:
  ProcessGroup();
  // The group of the caller alone that this thread uses where nobody names another: made once, so
  // that calls without a group cost nothing. Not to be destroy()ed.
  static const ProcessGroup& self();
  explicit ProcessGroup(std::shared_ptr<distributed::Backend> backend);
  // Copies only: a moved-from group would be null.
  ProcessGroup(const ProcessGroup&) = default;
  ProcessGroup& operator=(const ProcessGroup&) = default;

  int rank() const;
  int size() const;

  // The group of all ranks that give the same color, ordered by key, ties by rank. A negative color
  // joins none: the result then contains no rank and only its destructor is of use.
  ProcessGroup split(int color, int key) const;

  // x [P, ...]: block p goes to rank p. Result [P, ...]: block p came from rank p. Throws
  // ShapeError unless the first dimension is the group's size, like reduce_scatter().
  Tensor all_to_all(const Tensor& x) const;
  // The sum or maximum over ranks, on every rank. A maximum with a NaN is NaN.
  Tensor all_reduce(const Tensor& x, ReduceOp op = ReduceOp::sum) const;
  // x [...] → [P, ...], block p from rank p.
  Tensor all_gather(const Tensor& x) const;
  // x [P, ...] → [...]: the sum or maximum over ranks of their block r, on rank r.
  Tensor reduce_scatter(const Tensor& x, ReduceOp op = ReduceOp::sum) const;
  // The x of rank `root`; the others' values do not matter. CommError for a root out of range.
  Tensor broadcast(const Tensor& x, int root) const;
  // Returns when all ranks have called it.
  void barrier() const;

  // Ends this rank's use of the group; every later use, of copies too, throws CommError.
  void destroy() const;

  // Shared by all copies of this handle on this rank; new split()s start from the same options.
  const CommOptions& options() const;
  void set_timeout(std::chrono::milliseconds timeout) const;
  void set_check_collectives(bool on) const;
  const CommStats& stats() const;
  void reset_stats() const;

  // For what builds groups.
  const std::shared_ptr<distributed::Backend>& backend() const;

 private:
  struct State;
  using Function = void (distributed::Backend::*)(const distributed::Call&, const void* in,
                                                  void* out, std::int64_t count);
  distributed::Backend& alive() const;
  // Runs a collective on x's elements; the result has shape `result`.
  Tensor run(Function function, distributed::Call& call, const Tensor& x, Shape result,
             std::int64_t count) const;
  // Fills in the parts of `call` that every collective has, counts it, and returns the backend.
  distributed::Backend& begin(distributed::Call& call) const;
  distributed::Backend& begin(distributed::Call& call, const Tensor& x) const;

  std::shared_ptr<State> state_;
};

}  // namespace crocuta
