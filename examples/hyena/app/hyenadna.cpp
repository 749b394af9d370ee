#include "examples/hyena/app/hyenadna.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "framework/base/error.h"
#include "framework/base/file.h"
#include "framework/base/json.h"
#include "framework/io/safetensors.h"
#include "framework/ops/ops.h"
#include "layers/hyena/filter.h"
#include "layers/hyena/operator.h"

namespace crocuta::hyena {
namespace {

constexpr std::int64_t kVocabulary = 16;  // 12 tokens, filled up to a multiple of 8

// One tensor's name and shape there, and its name here.
struct Name {
  std::string theirs, ours;
  Shape theirs_shape, ours_shape;
};

// All parameters, the head apart.
std::vector<Name> names(const HyenaOptions& o) {
  std::vector<Name> all;
  const std::int64_t d = o.d_model, inner = o.d_inner, M = o.filter_order;
  const std::string root = "hyena.backbone.";
  const auto add = [&](const std::string& theirs, const std::string& ours, Shape shape) {
    all.push_back({root + theirs, ours, shape, shape});
  };
  add("embeddings.word_embeddings.weight", "embedding.weight", {kVocabulary, d});
  for (std::int64_t i = 0; i < o.n_layers; ++i) {
    const std::string theirs = str("layers.", i, "."), ours = str("blocks.", i, ".");
    const auto pair = [&](const std::string& from, const std::string& to, Shape shape) {
      add(theirs + from + ".weight", ours + to + ".weight", shape);
      add(theirs + from + ".bias", ours + to + ".bias", {shape[0]});
    };
    pair("norm1", "norm1", {d});
    pair("norm2", "norm2", {d});
    pair("mixer.in_proj", "mixer.in_proj", {3 * d, d});
    pair("mixer.short_filter", "mixer.short_conv", {3 * d, 3});
    all[all.size() - 2].theirs_shape = {3 * d, 1, 3};
    pair("mixer.out_proj", "mixer.out_proj", {d, d});
    pair("mlp.fc1", "mlp.fc1", {inner, d});
    pair("mlp.fc2", "mlp.fc2", {d, inner});
    const std::string filter = theirs + "mixer.filter_fn.", mine = ours + "mixer.filter.";
    add(filter + "bias", mine + "skip", {d});
    add(filter + "implicit_filter.1.freq", mine + "freq", {M});
    all.back().theirs_shape = {1, M};
    for (int layer = 0; layer < 3; ++layer) {
      const std::string from = str("mixer.filter_fn.implicit_filter.", 2 * layer);
      pair(from, str("mixer.filter.layers.", layer), {M, layer == 0 ? o.emb_dim : M});
    }
    add(filter + "implicit_filter.6.weight", mine + "layers.3.weight", {d, M});
  }
  add("ln_f.weight", "norm.weight", {d});
  add("ln_f.bias", "norm.bias", {d});
  return all;
}

// What is stored there although a formula makes it.
StateDict constants(const HyenaOptions& o) {
  const Tensor z = hyena_filter_features(o.l_max, o.l_max, o.emb_dim).to(DType::float32);
  const Tensor deltas = hyena_filter_rates(o.d_model).to(DType::float32);
  StateDict all;
  for (std::int64_t i = 0; i < o.n_layers; ++i) {
    const std::string filter = str("hyena.backbone.layers.", i, ".mixer.filter_fn.");
    all[filter + "modulation.deltas"] = reshape(deltas, {1, 1, o.d_model});
    all[filter + "pos_emb.t"] = unsqueeze(narrow(z, 1, 0, 1), 0).contiguous();
    all[filter + "pos_emb.z"] = unsqueeze(z, 0);
  }
  return all;
}

constexpr const char* kHead = "lm_head.weight";

// Takes tensors out of a file, and collects what is wrong with them.
class TensorFile {
 public:
  explicit TensorFile(const std::string& path)
      : path_(path), tensors_(load_safetensors(path).tensors) {}

  // Undefined if it is not there or does not fit.
  Tensor take(const std::string& name, const Shape& shape) {
    const auto found = tensors_.find(name);
    if (found == tensors_.end()) {
      complain("missing '", name, "' ", to_string(shape));
      return {};
    }
    const Tensor tensor = found->second;
    tensors_.erase(found);
    if (tensor.shape() != shape) {
      complain("'", name, "' should have shape ", to_string(shape), ", has ",
               to_string(tensor.shape()));
      return {};
    }
    if (!is_floating(tensor.dtype())) {
      complain("'", name, "' should hold floating-point numbers, is ", tensor.dtype());
      return {};
    }
    return tensor.to(tensor.dtype() == DType::float64 ? DType::float64 : DType::float32);
  }
  bool has(const std::string& name) const { return tensors_.count(name) == 1; }
  void compare(const std::string& name, const Tensor& formula) {
    const Tensor stored = take(name, formula.shape());
    if (!stored.defined()) return;
    const double off = max(abs(stored.to(DType::float64) - formula.to(DType::float64))).item();
    if (!(off <= 1e-5)) complain("'", name, "' differs from its formula by ", off);
  }
  // Throws FormatError if anything was wrong.
  void finish() {
    for (const auto& [name, tensor] : tensors_) {
      complain("unexpected '", printable(name), "' ", to_string(tensor.shape()));
    }
    if (!problems_.empty()) throw FormatError(str(printable(path_), ": ", problems_));
  }

 private:
  template <class... Text>
  void complain(const Text&... text) {
    problems_ += str(problems_.empty() ? "" : "; ", text...);
  }

  std::string path_;
  StateDict tensors_;
  std::string problems_;
};

// Keys that say nothing about the arithmetic.
const std::set<std::string> kHarmless = {"_commit_hash",
                                         "_name_or_path",
                                         "architectures",
                                         "auto_map",
                                         "bos_token_id",
                                         "cls_token_id",
                                         "embed_dropout",
                                         "eos_token_id",
                                         "hyena_dropout",
                                         "hyena_filter_dropout",
                                         "initializer_range",
                                         "mask_token_id",
                                         "model_type",
                                         "pad_token_id",
                                         "sep_token_id",
                                         "tie_word_embeddings",
                                         "torch_dtype",
                                         "train_freq",
                                         "transformers_version",
                                         "unk_token_id",
                                         "use_cache",
                                         "use_head"};

HyenaDna read_config(const std::string& path, double filter_shift) {
  const Config config = Config::load(path);
  HyenaDna model;
  Options& o = model.options;
  const IntRange size{.min = 1, .max = 1 << 24};
  o.task = "dna";
  o.codec = "hyenadna";
  o.model.d_model = config.get_int("d_model", size);
  o.model.n_layers = config.get_int("n_layer", {.min = 1, .max = 10'000});
  o.model.d_inner = config.get_int("d_inner", size);
  o.model.l_max = config.get_int("max_seq_len", {.min = 1, .max = 1 << 28});
  o.model.emb_dim = config.get_int("emb_dim", 5, {.min = 3, .max = 1 << 20});
  if (o.model.emb_dim % 2 == 0) config.reject("emb_dim", "an odd number");
  o.model.filter_order = config.get_int("filter_order", 64, size);
  o.model.w = config.get_real("activation_freq", 10, {.min = -1e6, .max = 1e6});
  o.model.filter_shift = filter_shift;
  o.model.dtype = DType::float32;
  o.seq_len = std::min<std::int64_t>(o.model.l_max, 1024);
  const auto expect = [&](const char* key, std::int64_t wanted) {
    if (config.get_int(key, wanted) != wanted) config.reject(key, std::to_string(wanted));
  };
  expect("hyena_order", 2);
  expect("num_inner_mlps", 2);
  expect("short_filter_order", 3);
  expect("vocab_size", 12);
  expect("pad_vocab_size_multiple", 8);
  if (config.get_real("layer_norm_epsilon", 1e-5) != 1e-5) {
    config.reject("layer_norm_epsilon", "1e-05");
  }
  if (config.get_bool("bidirectional", false)) config.reject("bidirectional", "false");
  if (!config.get_bool("use_bias", true)) config.reject("use_bias", "true");
  const std::set<std::string> known = {"activation_freq",
                                       "bidirectional",
                                       "d_inner",
                                       "d_model",
                                       "emb_dim",
                                       "filter_order",
                                       "hyena_order",
                                       "layer_norm_epsilon",
                                       "max_seq_len",
                                       "n_layer",
                                       "num_inner_mlps",
                                       "pad_vocab_size_multiple",
                                       "short_filter_order",
                                       "use_bias",
                                       "vocab_size"};
  for (const std::string& key : config.keys()) {
    if (known.count(key) == 1 || kHarmless.count(key) == 1) continue;
    model.warnings.push_back(str(printable(path), ": unknown key '", printable(key), "' left out"));
  }
  return model;
}

// Rows of channels 3c + p in three blocks again.
Tensor in_blocks(const Tensor& interleaved) {
  Shape split = interleaved.shape();
  split[0] /= 3;
  split.insert(split.begin() + 1, 3);
  return reshape(transpose(reshape(interleaved, split), 0, 1), interleaved.shape()).contiguous();
}

bool has_streams(const std::string& name) {
  return name.find(".mixer.in_proj.") != name.npos || name.find(".mixer.short_conv.") != name.npos;
}

}  // namespace

HyenaDna read_hyenadna(const std::string& directory, double filter_shift) {
  HyenaDna model =
      blame_file([&] { return read_config(directory + "/config.json", filter_shift); });
  const HyenaOptions& o = model.options.model;
  TensorFile source(directory + "/model.safetensors");
  for (const Name& name : names(o)) {
    const Tensor tensor = source.take(name.theirs, name.theirs_shape);
    if (tensor.defined()) model.parameters[name.ours] = reshape(tensor, name.ours_shape);
  }
  for (const auto& [name, formula] : constants(o)) source.compare(name, formula);
  const Tensor head = source.take(kHead, {kVocabulary, o.d_model});
  source.finish();
  model.parameters = interleave_streams(model.parameters);
  if (!equal(head, model.parameters.at("embedding.weight"))) {
    model.options.tied_head = false;
    model.parameters["head.weight"] = head;
  }
  if (head.dtype() == DType::float64) model.options.model.dtype = DType::float64;
  return model;
}

HyenaDnaFiles to_hyenadna(const Options& options, const StateDict& parameters) {
  HyenaOptions o = options.model;
  if (options.codec != "hyenadna") {
    throw ArgumentError(
        "this model does not number its tokens as HyenaDNA does (option codec), so it cannot be "
        "written in that format");
  }
  if (o.l_max == 0) o.l_max = model_length(options);
  if (o.d_inner == 0) o.d_inner = 4 * o.d_model;
  HyenaDnaFiles files;
  files.tensors = constants(o);
  for (const Name& name : names(o)) {
    Tensor tensor = parameters.at(name.ours);
    if (has_streams(name.ours)) tensor = in_blocks(tensor);
    files.tensors[name.theirs] = reshape(tensor, name.theirs_shape).clone();
  }
  files.tensors[kHead] =
      parameters.at(options.tied_head ? "embedding.weight" : "head.weight").clone();
  files.config =
      str("{\n  \"activation_freq\": ", json::number(o.w), ",\n  \"d_inner\": ", o.d_inner,
          ",\n  \"d_model\": ", o.d_model, ",\n  \"emb_dim\": ", o.emb_dim,
          ",\n  \"filter_order\": ", o.filter_order, ",\n  \"hyena_order\": 2,\n  ",
          "\"layer_norm_epsilon\": 1e-05,\n  \"max_seq_len\": ", o.l_max,
          ",\n  \"model_type\": \"hyenadna\",\n  \"n_layer\": ", o.n_layers,
          ",\n  \"num_inner_mlps\": 2,\n  \"pad_vocab_size_multiple\": 8,\n  ",
          "\"short_filter_order\": 3,\n  \"use_bias\": true,\n  \"vocab_size\": 12\n}\n");
  return files;
}

}  // namespace crocuta::hyena
