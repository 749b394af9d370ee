// What the tests of checkpoints share: small contents that tell their step, and ways to interfere.
#pragma once

#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "framework/base/log.h"
#include "framework/io/checkpoint.h"
#include "framework/io/safetensors.h"

namespace crocuta::test {

inline CheckpointContents contents(std::int64_t step) {
  const auto value = static_cast<double>(step);
  return {.step = step,
          .configuration = std::string(64, 'c'),
          .tensors = {{"model.safetensors", {{"w", tensor({value, 1})}}}},
          .texts = {{"trainer.json", "{\"step\": " + std::to_string(step) + "}\n"}}};
}

// Where the thousands of writes and fsyncs below cost little, if there is such a place.
inline std::string fast_parent() {
  const bool has_memory = ::access("/dev/shm", W_OK | X_OK) == 0;
  return has_memory ? "/dev/shm" : std::filesystem::temp_directory_path().string();
}

// True if the checkpoint holds what contents(step) wrote.
inline bool is_whole(const Checkpoint& checkpoint) {
  const double value =
      load_safetensors(checkpoint.path("model.safetensors")).tensors.at("w").to_vector<double>()[0];
  return value == static_cast<double>(checkpoint.step) &&
         read_file(checkpoint.path("trainer.json"), 100) ==
             contents(checkpoint.step).texts.at("trainer.json") &&
         checkpoint.configuration == std::string(64, 'c');
}

inline std::string read(const std::string& path) {
  return read_file(path, 1 << 20);
}
inline void write(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}
inline std::string step_path(const std::string& root, std::int64_t step) {
  std::string digits = std::to_string(step);
  while (digits.size() < 8) digits = "0" + digits;
  return root + "/step-" + digits;
}
inline bool exists(const std::string& path) {
  return file_kind(path) != FileKind::absent;
}

// Collects warnings while it lives.
class Warnings {
 public:
  Warnings() {
    set_log_sink([this](LogLevel, const std::string& line) { lines.push_back(line); });
  }
  ~Warnings() { set_log_sink({}); }
  std::vector<std::string> lines;
};

class Hook {
 public:
  explicit Hook(FileHook hook) { set_file_hook(std::move(hook)); }
  ~Hook() { set_file_hook({}); }
};

}  // namespace crocuta::test
