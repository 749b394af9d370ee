// The options of the Hyena layers.
#pragma once

#include <string>

#include "distributed/context_parallel.h"
#include "layers/layer_options.h"

namespace crocuta {

// How ranks share a sequence: layers/hyena/operator.h.
enum class CpAlgorithm { automatic, halo, channels };

// As options (framework/base/option.h): "auto", "halo", "channels".
void read_option(const Config& config, const char* key, CpAlgorithm& value, const Choices& choices);
void require_option(const char* layer, const char* key, CpAlgorithm value, const Choices& choices);
std::string option_json(CpAlgorithm value);

// Of HyenaFilter, HyenaOperator and HyenaBlock; each takes what it needs. What they are is said below.
struct HyenaOptions {
  std::int64_t d_model = 0;  // required
  std::int64_t l_max = 0;    // required: the longest sequence the filter reaches
  std::int64_t filter_order = 64;
  std::int64_t emb_dim = 5;
  double w = 10;
  double filter_shift = 0;
  std::int64_t n_layers = 1;  // for the scale of the initialisation
  std::int64_t d_inner = 0;
  double dropout = 0;
  CpAlgorithm cp_algorithm = CpAlgorithm::automatic;
  Sharding sharding = Sharding::contiguous;  // of sequences over ranks; not a configuration key
  DType dtype = DType::float32;
  Device device = default_device();

  TensorOptions tensors() const { return {dtype, device}; }
  // Initial standard deviation of the linear maps that add to the residual stream, of which a model
  // has two per block: 0.02 / sqrt(2 n_layers).
  double residual_stddev() const;
};

// Calls visit(key, member, range, what it is for) for the options that a HyenaOperator has, those of
// l_max, dtype and device apart: framework/base/option.h.
template <class O, class Visit>
void for_each_operator_option(O& o, Visit&& visit) {
  visit("d_model", o.d_model, kLayerSize, "Width of the model");
  visit("n_layers", o.n_layers, kLayerSize, "Blocks of the model");
  visit("filter_order", o.filter_order, kLayerSize, "Width of the filter's network");
  visit("emb_dim", o.emb_dim, IntRange{.min = 3, .max = kMaxLayerSize},
        "Features of a position in the filter, an odd number");
  visit("w", o.w, RealRange{.min = -1e6, .max = 1e6}, "Frequency of the filter's sines at first");
  visit("filter_shift", o.filter_shift, RealRange{.min = 0, .max = 1e3},
        "What is added to the filter's decaying window");
  visit("cp_algorithm", o.cp_algorithm, Choices{{"auto", "halo", "channels"}},
        "How ranks share a sequence: auto, halo (half the traffic) or channels");
}
// The same for those that a HyenaBlock has besides.
template <class O, class Visit>
void for_each_block_option(O& o, Visit&& visit) {
  visit("d_inner", o.d_inner, IntOrNull{{.min = 0, .max = kMaxLayerSize}},
        "Width of a block's MLP; 0 for 4 d_model");
  visit("dropout", o.dropout, RealRange{.min = 0, .below = 1},
        "Probability that an element of a block's output is zeroed");
}

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
