// Embedding: one trainable vector per symbol.
#pragma once

#include "layers/layer.h"
#include "layers/layer_options.h"

namespace crocuta {

// int64 ids [..] → [.., embedding_dim]. Parameter: weight [num_embeddings, embedding_dim]
// ~ N(0, 0.02^2). On a context-parallel group each rank works on its own ids.
class Embedding : public Layer {
 public:
  struct Options {
    std::int64_t num_embeddings = 0;  // required
    std::int64_t embedding_dim = 0;   // required
    DType dtype = DType::float32;
    Device device = default_device();
  };
  // Throws ArgumentError, DTypeError or DeviceError for options out of range.
  explicit Embedding(const Options& options);
  // Keys: num_embeddings, embedding_dim, dtype, device.
  explicit Embedding(const Config& config);

  // Throws DTypeError unless `ids` is int64, DeviceError unless it is on the layer's device, and
  // ArgumentError naming the first id outside [0, num_embeddings).
  Tensor forward(const Tensor& ids, const ProcessGroup& cp = ProcessGroup::self()) override;

  const Tensor& weight() const { return weight_; }

 private:
  Tensor extend_forward(const Tensor& ids, State&) override { return forward(ids); }

  Tensor weight_;
};

}  // namespace crocuta
