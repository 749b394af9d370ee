#include "layers/embedding.h"

#include "framework/ops/ops.h"
#include "framework/tensor/random.h"
#include "layers/registry.h"

namespace crocuta {
namespace {

constexpr const char* kName = "Embedding";

Embedding::Options read(const Config& config) {
  const TensorOptions tensors = tensor_options(config);
  Embedding::Options options{.num_embeddings = config.get_int("num_embeddings", kLayerSize),
                             .embedding_dim = config.get_int("embedding_dim", kLayerSize),
                             .dtype = tensors.dtype,
                             .device = tensors.device};
  config.finish();
  return options;
}

Tensor init_weight(const Embedding::Options& o) {
  require_size(kName, "num_embeddings", o.num_embeddings);
  require_size(kName, "embedding_dim", o.embedding_dim);
  const TensorOptions tensors{o.dtype, o.device};
  require_options(kName, tensors);
  const Tensor weight = empty({o.num_embeddings, o.embedding_dim}, tensors);
  normal_(weight, 0, 0.02);
  return weight;
}

}  // namespace

Embedding::Embedding(const Options& options) : weight_(param("weight", init_weight(options))) {}

Embedding::Embedding(const Config& config) : Embedding(read(config)) {}

Tensor Embedding::forward(const Tensor& ids, const ProcessGroup& /*cp*/) {
  require_ids(kName, ids, weight_.device());
  return embedding(ids, weight_);
}

CROCUTA_REGISTER_LAYER("Embedding", Embedding);

}  // namespace crocuta
