// The Hyena language model (Poli et al. 2023, arXiv 2302.10866): token ids in, logits of the next
// token out.
#pragma once

#include <vector>

#include "framework/nn/module_list.h"
#include "layers/embedding.h"
#include "layers/hyena/block.h"

namespace crocuta {

// Tokens [first, first + count).
struct TokenRange {
  std::int64_t first = 0, count = 0;
};

// int64 ids [B, L/P] → logits [B, L/P, V]:
//
//   embedding (no positions) → n_layers blocks → LayerNorm → times the embedding's transpose
//
// Logits at position t depend on the ids up to t only. Where only some tokens can come next, V is
// their number, and the embedding's other rows have no logits; parameters are the same. Children:
// embedding, blocks.<i>, norm, and head unless it is tied.
class HyenaLM : public Layer {
 public:
  struct Options {
    std::int64_t vocab_size = 0;  // required: ids are below it
    TokenRange predicted = {};    // which of them have logits; a count of 0: all
    bool tied_head = true;  // the logits come from the embedding; else from head.weight [V, d]
    // n_layers is the number of blocks (required); dropout is applied to the embedding, too.
    HyenaOptions hyena;
  };
  // Throws ArgumentError, DTypeError or DeviceError for options out of range.
  explicit HyenaLM(const Options& options);
  // Keys: vocab_size, tied_head (true), d_model, l_max, n_layers, filter_order (64), emb_dim (5), w (10),
  // d_inner (4 * d_model), dropout (0), dtype, device.
  explicit HyenaLM(const Config& config);

  // Throws ShapeError unless ids is [B, L/P] with L <= l_max, DTypeError unless they are int64,
  // DeviceError unless they are on the model's device, ArgumentError unless P divides d_model and
  // for an id outside [0, V), naming the first. B and L may be 0.
  Tensor forward(const Tensor& ids, const ProcessGroup& cp = ProcessGroup::self()) override;

  // The last norm's output [B, L/P, d], from which the logits are made: for embeddings of sequences.
  Tensor hidden(const Tensor& ids, const ProcessGroup& cp = ProcessGroup::self());
  // The logits for what hidden() gives.
  Tensor logits(const Tensor& hidden) const;

  // A State of `batch` sequences, for extend(ids [B, m], state) → logits [B, m, V].
  State start(std::int64_t batch = 1) const { return State(batch); }

  // The number of the first of `ids` in the whole batch: see HyenaBlock.
  void set_first_sequence(std::int64_t number);

  // The parameters for the optimizer: weight decay is for the weights of the blocks' linear maps,
  // and not for biases, norms, the embedding, the short convolution, or anything in the filter.
  struct Groups {
    std::vector<NamedTensor> decay, no_decay;
  };
  Groups parameter_groups() const;

  const Options& options() const { return options_; }
  // The tokens that logits stand for, in order.
  TokenRange predicted() const;

 private:
  Tensor extend_forward(const Tensor& ids, State& state) override;
  void require_input(const Tensor& ids, const ProcessGroup& cp, std::int64_t length) const;
  const Options options_;
  Embedding& embedding_;
  ModuleList<HyenaBlock>& blocks_;
  LayerNorm& norm_;
  Linear* head_ = nullptr;  // unless it is tied
  std::int64_t first_sequence_ = 0;
};

}  // namespace crocuta
