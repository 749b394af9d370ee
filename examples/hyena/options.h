// Everything that train_hyena can be told, as one configuration with defaults.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "framework/base/config.h"
#include "layers/hyena/options.h"

namespace crocuta::hyena {

// What each is for, and may be, is said in options.cpp: --help prints it. Configuration keys are the
// members' names, those of `model` included.
struct Options {
  // What is learned.
  std::string task = "recall";
  std::vector<std::string> data;
  double heldout = 0.1;
  std::int64_t symbols = 10, seq_len = 64;
  std::int64_t train_sequences = 0, test_sequences = 500;

  // The model: model_options() (trainer.h) fills in an l_max of 0, and the device.
  HyenaOptions model = {.d_model = 64, .n_layers = 2};
  bool tied_head = true;
  std::string codec = "task";

  // How it is trained.
  std::int64_t schedule_steps = 0, batch_size = 32;
  double learning_rate = 2e-3, min_learning_rate = 0;
  std::int64_t warmup_steps = 50;
  double beta1 = 0.9, beta2 = 0.98, weight_decay = 0.1, clip_norm = 1.0;
  std::int64_t seed = 0;
  std::vector<std::string> freeze;

  // How the run is carried out: these may change when it is resumed.
  std::int64_t steps = 2000;
  std::int64_t eval_every = 100, save_every = 500, log_every = 10, eval_windows = 128;
  std::string on_nan = "stop", device = "auto", out;
  std::int64_t cp = 1, threads = 0;
  std::string backend = "auto";
  double comm_timeout = 120;
  bool check_collectives = false;
};

// Every key with its default and what it is for, a line each.
std::string options_help();

// Reads and checks all keys. Throws ArgumentError naming the key for values out of range, unknown
// keys (with the nearest known one), and values that contradict each other.
Options read_options(const Config& config);

// Text from the command line as a JSON string, for Config::set(key, ...). Throws ArgumentError
// naming the key unless it is UTF-8, the only text that a configuration can hold.
std::string quoted(const std::string& key, const std::string& text);

// The options that decide which numbers a run computes, and `steps` and `data`, as configuration: a
// checkpoint carries them.
Config run_config(const Options& options);

// The part of it that a model keeps when it is trained on something else: sizes, numbers of tokens,
// the length that the filter is made for.
Config model_config(const Options& options);
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
