// Everything that train_hyena can be told, as one configuration with defaults.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "framework/base/config.h"
#include "framework/tensor/dtype.h"

namespace crocuta::hyena {

// Configuration keys are the members' names.
struct Options {
  // What is learned.
  std::string task = "recall";       // recall, dna or text
  std::vector<std::string> data;     // files, for dna and text
  double heldout = 0.1;              // the fraction of dna and text that is held out, at the end
  std::int64_t symbols = 10;         // of recall, two of them special
  std::int64_t seq_len = 64;         // tokens of context; for recall, those before the question
  std::int64_t train_sequences = 0;  // of recall; 0: fresh ones for ever
  std::int64_t test_sequences = 500;

  // The model: layers/hyena/lm.h.
  std::int64_t d_model = 64, n_layers = 2, filter_order = 64, emb_dim = 5, d_inner = 0;
  double w = 10, dropout = 0;
  DType dtype = DType::float32;

  // How it is trained.
  std::int64_t schedule_steps = 0;  // the cosine reaches min_learning_rate here; 0: at `steps`
  std::int64_t batch_size = 32;     // sequences per step, over all ranks
  double learning_rate = 2e-3, min_learning_rate = 0;
  std::int64_t warmup_steps = 50;
  double beta1 = 0.9, beta2 = 0.98, weight_decay = 0.1, clip_norm = 1.0;
  std::int64_t seed = 0;

  // How the run is carried out: these may change when it is resumed.
  std::int64_t steps = 2000;
  std::int64_t eval_every = 100, save_every = 500, log_every = 10;
  std::int64_t eval_windows = 128;  // of the held-out region, at intervals; all of it at the end
  std::string on_nan = "stop";      // stop or skip
  std::string device = "auto", out;
  std::int64_t cp = 1, threads = 0;  // ranks that share a sequence; CPU threads, 0: all
  std::string backend = "auto";      // between processes: nccl, or mpi
  double comm_timeout = 120;         // seconds
  bool check_collectives = false;
};

// Reads and checks all keys. Throws ArgumentError naming the key for values out of range, unknown
// keys (with the nearest known one), and values that contradict each other.
Options read_options(const Config& config);

// Text from the command line as a JSON string, for Config::set(key, ...). Throws ArgumentError
// naming the key unless it is UTF-8, the only text that a configuration can hold.
std::string quoted(const std::string& key, const std::string& text);

// The options that decide which numbers a run computes, and `steps` and `data`, as configuration: a
// checkpoint carries them.
Config run_config(const Options& options);
// Every option that all ranks of a run have to share: key and value as JSON. Left out are files,
// which may have other names elsewhere, and the number of threads.
std::vector<std::pair<std::string, std::string>> shared_options(const Options& options);
// What differs between the two runs' configurations, one line per key, where it may not differ:
// "learning_rate: 0.001 here, 0.002 in the checkpoint".
std::vector<std::string> differences(const Config& here, const Config& in_checkpoint);

// The tokens that the model takes in at once. For recall the sequence and the question, filled up
// to a multiple of 8 with "." so that it can be shared by 2, 4 or 8 ranks.
std::int64_t model_length(const Options& options);

}  // namespace crocuta::hyena
