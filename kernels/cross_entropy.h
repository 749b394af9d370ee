// Cross-entropy of a softmax with the right answers, fused: the probabilities are never stored.
#pragma once

#include <cstddef>

#include "kernels/types.h"

namespace crocuta::kernels {

// For each row with a target t other than `ignored`:
//   max[row] = max x[row, :],  log_sum[row] = log sum exp(x[row, :] - max[row]),
//   loss[row] = max[row] - x[row, t] + log_sum[row],
// and 0 for the others. x [rows, n]; targets [rows] are within [0, n) or `ignored`. What the
// backward pass needs stays in two numbers: log_sum would be lost in a large max.
template <class Device, class T>
void cross_entropy_forward(std::int64_t rows, std::int64_t n, std::int64_t ignored, const T* x,
                           const std::int64_t* targets, accumulator_t<T>* loss,
                           accumulator_t<T>* max, accumulator_t<T>* log_sum, Stream stream);

// dx[row, i] = dy scale (exp(x[row, i] - max[row] - log_sum[row]) - [i == target]), 0 in rows left
// out. dy is one number in device memory.
template <class Device, class T>
void cross_entropy_backward(std::int64_t rows, std::int64_t n, std::int64_t ignored, double scale,
                            const T* x, const std::int64_t* targets, const accumulator_t<T>* max,
                            const accumulator_t<T>* log_sum, const accumulator_t<T>* dy, T* dx,
                            Stream stream);

// result = scale * the sum of x[i], i < n, the same bits however many threads there are.
// `workspace` is aligned to 64.
template <class Device, class A>
void scaled_sum(std::int64_t n, double scale, const A* x, A* result, void* workspace,
                Stream stream);
// Bytes of scratch memory that it needs.
template <class Device, class A>
std::size_t scaled_sum_workspace_bytes(std::int64_t n);

}  // namespace crocuta::kernels
