#include "layers/halo_conv.h"

#include <algorithm>

#include "framework/ops/ops.h"
#include "framework/ops/workspace.h"
#include "framework/tensor/dispatch.h"
#include "kernels/depthwise_conv1d.h"

namespace crocuta {
namespace {

// Which chunks of the sequence this rank holds, and what stands next to them.
struct Chunks {
  Chunks(const ProcessGroup& group, Sharding sharding)
      : cp(group),
        order(chunk_order(sharding, group.size())),
        pieces(static_cast<int>(order.size()) / group.size()) {}

  // x [B, C, n] → [pieces * B, C, n / pieces], piece after piece.
  Tensor split(const Tensor& x) const {
    const std::int64_t length = x.size(2) / pieces;
    std::vector<Tensor> parts;
    for (int j = 0; j < pieces; ++j) parts.push_back(narrow(x, 2, j * length, length));
    return parts.size() == 1 ? parts[0] : cat(parts, 0);
  }
  // The way back.
  Tensor join(const Tensor& x) const {
    const std::int64_t batch = x.size(0) / pieces;
    std::vector<Tensor> parts;
    for (int j = 0; j < pieces; ++j) parts.push_back(narrow(x, 0, j * batch, batch));
    return (parts.size() == 1 ? parts[0] : cat(parts, 2)).contiguous();
  }

  // For each piece [pieces * B, C, m] of this rank, that of the chunk `step` further on in the
  // sequence; zeros beyond its ends.
  Tensor neighbours(const Tensor& mine, int step, bool recorded) const {
    const Tensor sent = mine.contiguous().detach();
    if (recorded) sent.set_requires_grad();  // ranks compare whether they go back alike
    const Tensor all = cp.all_gather(sent);
    const std::int64_t batch = mine.size(0) / pieces;
    std::vector<Tensor> found;
    for (int j = 0; j < pieces; ++j) {
      const int wanted = order[static_cast<std::size_t>(cp.rank() * pieces + j)] + step;
      const auto at = std::find(order.begin(), order.end(), wanted);
      if (at == order.end()) {
        found.push_back(zeros({batch, mine.size(1), mine.size(2)}, mine.options()));
      } else {
        const auto place = static_cast<int>(at - order.begin());
        found.push_back(narrow(select(all, 0, place / pieces), 0, place % pieces * batch, batch));
      }
    }
    return found.size() == 1 ? found[0] : cat(found, 0);
  }

  ProcessGroup cp;
  std::vector<int> order;
  int pieces;
};

kernels::DepthwiseConv1dShape shape_of(const Tensor& x, const Tensor& weight) {
  const std::int64_t K = weight.size(1);
  return {.batch = x.size(0),
          .channels = x.size(1),
          .length = x.size(2),
          .kernel_size = K,
          .left_padding = K - 1,
          .channel_offset = 0,
          .group_dim = std::max<std::int64_t>(x.size(1) / weight.size(0), 1),
          .groups = weight.size(0)};
}

// The gradients that are wanted of a causal convolution of x, all of them contiguous.
struct Wanted {
  Tensor dx, dweight, dbias;
};
void convolve_back(const Tensor& x, const Tensor& weight, const Tensor& dy, const Wanted& to) {
  const kernels::DepthwiseConv1dShape shape = shape_of(dy, weight);
  dispatch("halo_conv", dy, [&]<class Device, class T>() {
    const auto data = [](const Tensor& t) { return t.defined() ? t.data<T>() : nullptr; };
    const Tensor scratch = workspace(
        static_cast<std::size_t>(kernels::depthwise_conv1d_workspace_bytes<Device, T>(shape)),
        dy.device());
    kernels::depthwise_conv1d_backward<Device, T>(
        shape, x.data<T>(), weight.data<T>(), dy.data<T>(), data(to.dx), data(to.dweight),
        data(to.dbias), scratch.raw_data(), current_stream(dy.device()));
  });
}

}  // namespace

bool has_halo(std::int64_t local_length, std::int64_t kernel_size, Sharding sharding) {
  const std::int64_t pieces = sharding == Sharding::zigzag ? 2 : 1;
  return local_length % pieces == 0 && local_length / pieces >= kernel_size - 1;
}

Tensor halo_conv(const Tensor& x, const Tensor& weight, const Tensor& bias, const ProcessGroup& cp,
                 Sharding sharding) {
  constexpr const char* kName = "halo_conv";
  if (x.dim() != 3 || weight.dim() != 2) {
    fail<ShapeError>(kName, "x", "[B, C, L/P], with a weight [G, K]", to_string(x.shape()));
  }
  const std::int64_t reach = weight.size(1) - 1, length = x.size(2);
  if (!has_halo(length, weight.size(1), sharding)) {
    fail<ShapeError>(kName, "x", str("chunks of at least K - 1 = ", reach, " samples"),
                     to_string(x.shape()));
  }
  const Chunks chunks(cp, sharding);
  const bool recorded = x.requires_grad();
  Tensor extended, y;
  {
    const NoGrad no_grad;
    const Tensor pieces = chunks.split(x), size = pieces;
    const Tensor tails = narrow(pieces, 2, pieces.size(2) - reach, reach);
    extended = cat({chunks.neighbours(tails, -1, recorded), pieces}, 2);
    const Tensor whole = depthwise_conv1d(extended, weight, bias, {.causal = true});
    y = chunks.join(narrow(whole, 2, reach, pieces.size(2)));
  }
  std::vector<Tensor> inputs = {x, weight};
  if (bias.defined()) inputs.push_back(bias);
  const bool wants_dweight = weight.requires_grad();
  const bool wants_dbias = bias.defined() && bias.requires_grad();
  return record(
      kName, y, inputs,
      [chunks, reach, recorded, wants_dweight, wants_dbias, has_bias = bias.defined(), extended,
       weight = saved("weight", weight)](const Tensor& dy) -> Grads {
        const Tensor taps = weight.get().contiguous(), pieces = chunks.split(dy);
        const std::int64_t n = pieces.size(2);
        Grads grads(2);
        if (recorded) {
          // What later samples, which another rank may hold, say of these.
          const Tensor heads = narrow(pieces, 2, 0, reach);
          const Tensor after = cat({pieces, chunks.neighbours(heads, 1, false)}, 2).contiguous();
          const Tensor dx = empty(after.shape(), after.options());
          convolve_back(extended, taps, after, {.dx = dx, .dweight = {}, .dbias = {}});
          grads[0] = chunks.join(narrow(dx, 2, 0, n));
        }
        if (wants_dweight || wants_dbias) {
          const Tensor before = zeros({pieces.size(0), pieces.size(1), reach}, dy.options());
          const Tensor own = cat({before, pieces}, 2).contiguous();
          Wanted to;
          if (wants_dweight) to.dweight = empty(taps.shape(), dy.options());
          if (wants_dbias) to.dbias = empty({taps.size(0)}, dy.options());
          convolve_back(extended, taps, own, to);
          grads[1] = to.dweight;
          if (has_bias) grads.push_back(to.dbias);
        } else if (has_bias) {
          grads.emplace_back();
        }
        return grads;
      });
}

}  // namespace crocuta
