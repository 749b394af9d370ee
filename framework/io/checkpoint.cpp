#include "framework/io/checkpoint.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <functional>
#include <system_error>
#include <vector>

#include "framework/base/error.h"
#include "framework/base/log.h"
#include "framework/base/sha256.h"
#include "framework/io/checkpoint_manifest.h"
#include "framework/io/safetensors.h"

namespace crocuta {

std::string step_name(std::int64_t step) {
  const std::string digits = std::to_string(step);
  return "step-" + std::string(digits.size() < 8 ? 8 - digits.size() : 0, '0') + digits;
}

namespace {

constexpr const char* kLock = "/lock";
constexpr const char* kSaving = "/.saving";      // a save in progress
constexpr const char* kRemoving = "/.removing";  // a checkpoint about to be deleted
constexpr const char* kTrial = "/.trial";

// ---- names ----

// The step of "step-00000123", or nothing for other names.
std::optional<std::int64_t> step_of(const std::string& name) {
  std::int64_t step = 0;
  if (!name.starts_with("step-")) return {};
  const char* end = name.data() + name.size();
  const auto result = std::from_chars(name.data() + 5, end, step);
  if (result.ec != std::errc() || result.ptr != end || step_name(step) != name) return {};
  return step;
}

struct Candidate {
  std::int64_t step;
  std::string directory;
};

// The directories under `root` that look like checkpoints, newest first.
std::vector<Candidate> find_candidates(const std::string& root) {
  std::vector<Candidate> found;
  for (const std::string& name : list_directory(root)) {
    const std::string path = root + "/" + name;
    if (const auto step = step_of(name); step && file_kind(path) == FileKind::directory) {
      found.push_back({*step, path});
    }
  }
  std::sort(found.begin(), found.end(),
            [](const Candidate& a, const Candidate& b) { return a.step > b.step; });
  return found;
}

// ---- removal ----

// True if the directory holds our manifest and nothing but regular files that it lists.
bool is_removable(const std::string& directory) {
  if (file_kind(directory) != FileKind::directory) return false;
  Checkpoint checkpoint;
  try {
    checkpoint = read_manifest(directory);
  } catch (const Error&) {
    return false;
  }
  for (const std::string& name : list_directory(directory)) {
    if (name != kManifestName && !checkpoint.files.contains(name)) return false;
    if (file_kind(directory + "/" + name) != FileKind::file) return false;
  }
  return true;
}

// Removes the files of a directory, the manifest last, and the directory.
void remove_files(const std::string& directory) {
  std::vector<std::string> names = list_directory(directory);
  std::stable_partition(names.begin(), names.end(),
                        [](const std::string& name) { return name != kManifestName; });
  for (const std::string& name : names) {
    // By the manifest others are known to be ours: a power cut must not leave them without it.
    if (name == kManifestName) sync_directory(directory);
    remove_file(directory + "/" + name);
  }
  remove_directory(directory);
}

// Deals with what a killed removal left: puts back a whole checkpoint whose place is empty (it may
// have been moved aside for one that never came), and removes the rest of any other.
void recover_removing(const std::string& root) {
  const std::string removing = root + kRemoving;
  if (file_kind(removing) == FileKind::absent) return;
  if (!is_removable(removing)) {
    remove_directory(removing);  // killed just before this; an error if it holds anything
    return;
  }
  const std::string home = root + "/" + step_name(read_manifest(removing).step);
  if (file_kind(home) == FileKind::absent) {
    try {
      open_checkpoint(removing);
      rename_file(removing, home);
      sync_directory(root);
      return;
    } catch (const FormatError&) {
      // Half removed.
    }
  }
  remove_files(removing);
}

void remove_checkpoint(const std::string& root, const std::string& directory) {
  recover_removing(root);
  rename_file(directory, root + kRemoving);
  remove_files(root + kRemoving);
}

// Gives a directory that is not wholly ours another name, so that its place becomes free.
void set_aside(const std::string& root, const std::string& path, const std::string& name) {
  std::string aside = root + "/set-aside-" + name;
  for (int i = 2; file_kind(aside) != FileKind::absent; ++i) {
    aside = str(root, "/set-aside-", name, "-", i);
  }
  rename_file(path, aside);
  log_warn(str(printable(path), ": in the way of a checkpoint and not wholly ours; renamed to ",
               printable(aside)));
}

void prune(const std::string& root, std::int64_t step, int keep) {
  try {
    recover_removing(root);
  } catch (const IoError& error) {
    log_warn(str("an old checkpoint stays: ", error.what()));
  }
  int kept = 1;  // the one just saved
  for (const Candidate& candidate : find_candidates(root)) {
    if (candidate.step >= step) continue;
    try {
      if (kept < keep) {
        verify_files(read_manifest(candidate.directory), false);
        ++kept;
      } else if (is_removable(candidate.directory)) {
        remove_checkpoint(root, candidate.directory);
      }
    } catch (const FormatError&) {
      // A damaged one does not count, and its turn to be removed comes later.
    } catch (const IoError& error) {
      log_warn(str("an old checkpoint stays: ", error.what()));
    }
  }
}

// ---- writing ----

Checkpoint::File write_and_sync(const std::string& path,
                                const std::function<void(const ByteSink&)>& write) {
  constexpr std::size_t kPiece = 1 << 20;  // hashed and written while in the cache
  File file = File::create(path);
  Sha256 hash;
  std::uint64_t total = 0;
  write([&](const void* data, std::size_t bytes) {
    const auto* next = static_cast<const char*>(data);
    for (std::size_t at = 0; at < bytes; at += kPiece) {
      const std::size_t count = std::min(kPiece, bytes - at);
      hash.update(next + at, count);
      file.write(next + at, count);
    }
    total += bytes;
  });
  file.sync();
  file.close();
  return {total, hash.hex()};
}

void check(const CheckpointContents& contents) {
  constexpr const char* kWhere = "CheckpointStore::save";
  if (contents.step < 0) {
    fail<ArgumentError>(kWhere, "step", "at least 0", str(contents.step));
  }
  const auto check_name = [&](const std::string& name) {
    if (!is_plain_name(name) ||
        (contents.texts.contains(name) && contents.tensors.contains(name))) {
      fail<ArgumentError>(kWhere, "file", "plain file names, each once",
                          str("'", printable(name), "'"));
    }
  };
  for (const auto& [name, tensors] : contents.tensors) check_name(name);
  for (const auto& [name, text] : contents.texts) check_name(name);
}

// Empties and removes `.saving`, which is nobody's but ours.
void clear_saving(const std::string& root) {
  const std::string saving = root + kSaving;
  const FileKind kind = file_kind(saving);
  if (kind == FileKind::absent) return;
  if (kind != FileKind::directory) {
    throw IoError(str(printable(saving), ": expected a directory, got something else"));
  }
  remove_files(saving);
}

void write_saving(const std::string& root, const CheckpointContents& contents) {
  const std::string directory = root + kSaving;
  make_directory(directory);
  Checkpoint manifest;
  manifest.step = contents.step;
  manifest.configuration = contents.configuration;
  const auto write_text = [&](const std::string& name, const std::string& text) {
    return write_and_sync(directory + "/" + name,
                          [&](const ByteSink& sink) { sink(text.data(), text.size()); });
  };
  for (const auto& entry : contents.tensors) {
    manifest.files[entry.first] =
        write_and_sync(directory + "/" + entry.first,
                       [&](const ByteSink& sink) { write_safetensors(entry.second, {}, sink); });
  }
  for (const auto& [name, text] : contents.texts) manifest.files[name] = write_text(name, text);
  write_text(kManifestName, manifest_text(manifest));
  sync_directory(directory);
}

// Renames `.saving` to its place. A checkpoint that is there already moves out first; should the
// second rename never come, load_latest() and recover_removing() know where it is.
void commit(const std::string& root, const std::string& name) {
  const std::string home = root + "/" + name;
  if (is_removable(home)) {
    rename_file(home, root + kRemoving);
  } else if (file_kind(home) != FileKind::absent) {
    set_aside(root, home, name);
  }
  rename_file(root + kSaving, home);
  sync_directory(root);
}

// ---- opening ----

std::string prepare_root(std::string root) {
  while (root.size() > 1 && root.back() == '/') root.pop_back();
  make_directories(root);
  const FileKind kind = file_kind(root);
  if (kind != FileKind::directory) {
    throw IoError(str(
        printable(root), ": expected a directory for checkpoints, got ",
        kind == FileKind::link ? "a symbolic link; name its target instead" : "something else"));
  }
  return root;
}

File lock(const std::string& root) {
  File file = File::open_append(root + kLock);
  if (!file.try_lock()) {
    const std::string owner = read_file(root + kLock, 100);  // its process id and a newline
    throw IoError(
        str(printable(root), ": in use by another run",
            owner.empty() ? "" : " (process " + printable(owner.substr(0, owner.size() - 1)) + ")",
            "; wait for it or choose another directory"));
  }
  file.truncate(0);
  file.write(str(::getpid(), "\n"));
  return file;
}

void try_to_write(const std::string& root) {
  const std::string path = root + kTrial;
  if (file_kind(path) != FileKind::absent) remove_file(path);
  File file = File::create(path);
  try {
    file.write(std::string(4096, ' '));
    file.sync();
    file.close();
  } catch (const IoError&) {
    ::unlink(path.c_str());
    throw;
  }
  remove_file(path);
}

}  // namespace

std::string Checkpoint::path(const std::string& file) const {
  if (!files.contains(file)) {
    throw FormatError(
        str(printable(directory), ": expected a file '", printable(file), "', got none"));
  }
  return directory + "/" + file;
}

Checkpoint open_checkpoint(const std::string& directory) {
  Checkpoint checkpoint = read_manifest(directory);
  verify_files(checkpoint, true);
  return checkpoint;
}

std::optional<Checkpoint> load_latest(const std::string& root) {
  if (file_kind(root) == FileKind::absent) return {};
  std::vector<Candidate> candidates = find_candidates(root);
  // One that was moved aside for a successor, should a kill have come between the two renames.
  try {
    const Checkpoint aside = read_manifest(root + kRemoving);
    verify_files(aside, false);
    const auto place = std::find_if(candidates.begin(), candidates.end(),
                                    [&](const Candidate& c) { return c.step <= aside.step; });
    if (place == candidates.end() || place->step < aside.step) {
      candidates.insert(place, {aside.step, aside.directory});
    }
  } catch (const Error&) {
    // There is none, or it is half removed.
  }
  std::string newest_error;
  for (const Candidate& candidate : candidates) {
    std::string problem;
    try {
      return open_checkpoint(candidate.directory);
    } catch (const Error& error) {  // FormatError or IoError
      problem = error.what();
    }
    log_warn(problem + "; looking for an older checkpoint");
    if (newest_error.empty()) newest_error = problem;
  }
  if (candidates.empty()) return {};
  throw FormatError(str(printable(root), ": no good checkpoint; of the newest: ", newest_error));
}

CheckpointStore::CheckpointStore(std::string root, int keep)
    : root_(prepare_root(std::move(root))), keep_(keep), lock_(lock(root_)) {
  if (keep < 1) fail<ArgumentError>("CheckpointStore", "keep", "at least 1", str(keep));
  try_to_write(root_);
  recover_removing(root_);
  clear_saving(root_);
}

void CheckpointStore::save(const CheckpointContents& contents) const {
  check(contents);
  recover_removing(root_);
  clear_saving(root_);
  try {
    write_saving(root_, contents);
    commit(root_, step_name(contents.step));
  } catch (...) {
    try {
      clear_saving(root_);
    } catch (const IoError&) {
      // The next save tries again.
    }
    throw;
  }
  prune(root_, contents.step, keep_);
}

}  // namespace crocuta
