// The options of the Hyena layers.
#pragma once

#include "distributed/context_parallel.h"
#include "layers/layer_options.h"

namespace crocuta {

// Of HyenaFilter, HyenaOperator and HyenaBlock; each takes what it needs.
struct HyenaOptions {
  std::int64_t d_model = 0;        // required: model width d
  std::int64_t l_max = 0;          // required: the longest sequence the filter reaches
  std::int64_t filter_order = 64;  // width M of the filter's network
  std::int64_t emb_dim = 5;        // positional features E of the filter: odd, at least 3
  double w = 10;                   // initial frequency of the filter's sines
  std::int64_t n_layers = 1;       // blocks of the model, for the scale of the initialisation
  std::int64_t d_inner = 0;        // width of the block's MLP; 0: 4 * d_model
  double dropout = 0;              // of the block: the probability that a residual element is 0
  Sharding sharding = Sharding::contiguous;  // of sequences over ranks; not a configuration key
  DType dtype = DType::float32;
  Device device = default_device();

  TensorOptions tensors() const { return {dtype, device}; }
  // Initial standard deviation of the linear maps that add to the residual stream, of which a model
  // has two per block: 0.02 / sqrt(2 n_layers).
  double residual_stddev() const;
};

// Reads d_model, l_max, filter_order, emb_dim, w, n_layers, dtype and device.
HyenaOptions hyena_operator_options(const Config& config);
// Reads these, d_inner (null: 4 * d_model) and dropout.
HyenaOptions hyena_block_options(const Config& config);

// Throws ArgumentError, DTypeError or DeviceError for options out of range, in the name of `layer`.
void require_valid(const char* layer, const HyenaOptions& options);
// Throws ArgumentError unless the ranks of `cp` divide d_model; ShapeError if sequences of which
// each rank holds `local_length` samples are longer than l_max.
void require_sequence(const char* layer, const HyenaOptions& options, const ProcessGroup& cp,
                      std::int64_t local_length);

}  // namespace crocuta
