// Checkpoints: directories that are either complete and verified, or ignored.
//
// A run keeps its checkpoints under one root:
//
//   runs/recall/step-00000500/model.safetensors, ..., manifest.json
//   runs/recall/step-00001000/...
//   runs/recall/lock
//
// A save writes and syncs every file in `.saving`, then manifest.json with the sizes and SHA-256 of
// them all, renames the directory, syncs the root, and removes all but the newest checkpoints. So a
// good checkpoint can be loaded whenever and however a run ends. The sums detect accidents, not
// attackers: who can change the files can change the manifest too.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "framework/base/file.h"
#include "framework/nn/module.h"

namespace crocuta {

// What a save writes.
struct CheckpointContents {
  std::int64_t step = 0;
  std::string configuration;                 // Config::fingerprint()
  std::map<std::string, StateDict> tensors;  // file name ("model.safetensors") → its tensors
  std::map<std::string, std::string> texts;  // file name ("config.json") → its bytes
};

// The name of the directory of a checkpoint: "step-00000123".
std::string step_name(std::int64_t step);

// A checkpoint whose files have all been verified.
struct Checkpoint {
  std::string directory;
  std::int64_t step = 0;
  std::string configuration;

  // The path of one of its files. Throws FormatError if it has none of that name.
  std::string path(const std::string& file) const;

  struct File {
    std::uint64_t bytes = 0;
    std::string sha256;
  };
  std::map<std::string, File> files;
};

// Reads one checkpoint directory and verifies the sizes and sums of all its files. Throws
// FormatError or IoError naming the bad file.
Checkpoint open_checkpoint(const std::string& directory);

// The newest good checkpoint under `root`, or nothing if there is none at all. Bad ones are skipped
// with a warning that names the file. Throws FormatError if there are only bad ones.
std::optional<Checkpoint> load_latest(const std::string& root);

// A run's checkpoints, open for writing. One process at a time may have the root open.
class CheckpointStore {
 public:
  // Makes the root if it is missing, locks it, proves by a trial write that
  // a save can succeed, and tidies up after a save that was killed. Throws IoError if the root is a
  // link or no directory, not writable, or locked by another run, whose process id is named.
  explicit CheckpointStore(std::string root, int keep = 2);

  const std::string& root() const { return root_; }

  // Saves a checkpoint, replacing one of the same step, then removes older ones until `keep` are
  // left. Checkpoints of later steps are neither counted nor removed, and whatever is not wholly
  // ours is never removed. Throws IoError, the checkpoints that were there before being still
  // there; ArgumentError for file names that are not plain names.
  void save(const CheckpointContents& contents) const;

 private:
  std::string root_;
  int keep_;
  File lock_;
};

}  // namespace crocuta
