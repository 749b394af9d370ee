// Collectives as ops: they record themselves, and the backward pass of each is its exact transpose
// over all ranks, under one convention: the loss that is differentiated is the sum over ranks of
// each rank's local loss. So for every op A and all x and g, sum_r <A x, g> = sum_r <x, A^T g>.
//
// The backward pass communicates too: all ranks have to record the same collectives in the same
// order and call backward(), with x requiring a gradient on all ranks or on none. On the group of
// one each returns x itself, in the shape it promises. Errors are those of ProcessGroup.
#pragma once

#include "distributed/process_group.h"

namespace crocuta {

// The sum over ranks, on every rank. Transpose: itself.
Tensor all_reduce_sum(const Tensor& x, const ProcessGroup& group);

// x [..., n, ...] → [..., P*n, ...]: all ranks' x joined along dim in rank order. Transpose:
// reduce_scatter.
Tensor all_gather(const Tensor& x, int dim, const ProcessGroup& group);

// x [..., P*n, ...] → [..., n, ...]: slice r along dim of the sum over ranks, on rank r. Transpose:
// all_gather. Throws ShapeError if the size along dim is not a multiple of P.
Tensor reduce_scatter(const Tensor& x, int dim, const ProcessGroup& group);

// The x of rank `root`, on every rank. Transpose: the sum of all gradients on root, zeros
// elsewhere.
Tensor broadcast(const Tensor& x, int root, const ProcessGroup& group);

// x [P, ...] → [P, ...]: block p goes to rank p, and the result's block p came from it. Transpose:
// itself.
Tensor all_to_all(const Tensor& x, const ProcessGroup& group);

}  // namespace crocuta
