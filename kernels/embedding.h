// Table lookup by id.
#pragma once

#include <cstddef>
#include <optional>

#include "kernels/types.h"

namespace crocuta::kernels {

// result[0] = the first position i < n with ids[i] outside [0, limit) and not `ignored`, or n if
// there is none; result[1] = how many ids are not `ignored`. result lies in device memory.
template <class Device>
void check_ids(std::int64_t n, const std::int64_t* ids, std::int64_t limit,
               std::optional<std::int64_t> ignored, std::int64_t* result, Stream stream);

// y[i, :] = table[ids[i], :]. ids [n], all within the table; y [n, dim].
template <class Device, class T>
void embedding_forward(std::int64_t n, std::int64_t dim, const std::int64_t* ids, const T* table,
                       T* y, Stream stream);

// dtable[v, :] = the sum of dy[i, :] over the positions i with ids[i] == v, in order of position.
// dy [n, dim], dtable [vocabulary, dim]; `workspace` is aligned to 64.
template <class Device, class T>
void embedding_backward(std::int64_t n, std::int64_t dim, std::int64_t vocabulary,
                        const std::int64_t* ids, const T* dy, T* dtable, void* workspace,
                        Stream stream);
// Bytes of scratch memory that it needs.
template <class Device>
std::size_t embedding_backward_workspace_bytes(std::int64_t n, std::int64_t dim,
                                               std::int64_t vocabulary);

}  // namespace crocuta::kernels
