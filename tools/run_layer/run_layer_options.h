// The command line of run_layer.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace crocuta {

struct RunLayerOptions {
  std::string layer;
  std::vector<std::string> plugins;  // loaded by the time this is returned
  std::string config;                // a path, or JSON itself if it starts with '{'
  std::string in;
  std::string out;
  std::string device;  // "" leaves the choice to the configuration
  std::int64_t seed = 0;
  std::int64_t ranks = 1;
  std::int64_t shard_dim = 0;
};

// The options, or nothing if --help or --version was asked for and has been printed. Throws
// ArgumentError, naming the argument, for everything that is not as --help says.
std::optional<RunLayerOptions> parse_run_layer_options(int argc, const char* const* argv);

}  // namespace crocuta
