#include "framework/io/checkpoint_manifest.h"

#include <algorithm>
#include <vector>

#include "framework/base/config.h"
#include "framework/base/error.h"
#include "framework/base/json.h"
#include "framework/base/sha256.h"

namespace crocuta {
namespace {

constexpr const char* kFormat = "crocuta-checkpoint";
constexpr std::int64_t kVersion = 1;

std::string render(const Checkpoint& checkpoint, const std::string& sum) {
  std::string files;
  for (const auto& [name, file] : checkpoint.files) {
    files += str(files.empty() ? "" : ",", "\n    ", json::quote(name),
                 ": {\"bytes\": ", file.bytes, ", \"sha256\": ", json::quote(file.sha256), "}");
  }
  return str("{\n  \"format\": ", json::quote(kFormat), ",\n  \"version\": ", kVersion,
             ",\n  \"step\": ", checkpoint.step,
             ",\n  \"configuration\": ", json::quote(checkpoint.configuration), ",\n  \"files\": {",
             files, "\n  },\n  \"sha256\": ", json::quote(sum), "\n}\n");
}

std::string sha256_of(const File& file, std::uint64_t bytes) {
  Sha256 hash;
  std::vector<char> chunk(1 << 20);
  for (std::uint64_t at = 0; at < bytes;) {
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(chunk.size(), bytes - at));
    file.read_at(at, chunk.data(), count);
    hash.update(chunk.data(), count);
    at += count;
  }
  return hash.hex();
}

}  // namespace

bool is_plain_name(std::string_view name) {
  const auto is_plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  };
  return !name.empty() && name.size() <= 200 && name.front() != '.' && name != kManifestName &&
         std::all_of(name.begin(), name.end(), is_plain);
}

std::string manifest_text(const Checkpoint& checkpoint) {
  return render(checkpoint, sha256_hex(render(checkpoint, "")));
}

Checkpoint read_manifest(const std::string& directory) {
  const std::string path = directory + "/" + kManifestName;
  if (file_kind(path) != FileKind::file) {
    throw FormatError(str(printable(path), ": missing; is this a checkpoint?"));
  }
  const std::string text = read_file(path, Config::kMaxBytes);
  const Checkpoint checkpoint = blame_file([&] {
    Checkpoint checkpoint;
    checkpoint.directory = directory;
    const Config manifest = Config::parse(text, path);
    if (manifest.get_string("format") != kFormat) manifest.reject("format", kFormat);
    if (manifest.get_int("version", {.min = 1}) != kVersion) {
      manifest.reject("version", str(kVersion, ", the only version this program knows"));
    }
    checkpoint.step = manifest.get_int("step", {.min = 0});
    checkpoint.configuration = manifest.get_string("configuration");
    const Config files = manifest.get_object("files");
    for (const std::string& name : files.keys()) {
      if (!is_plain_name(name)) files.reject(name, "a plain file name as key");
      const Config file = files.get_object(name);
      checkpoint.files[name] = {static_cast<std::uint64_t>(file.get_int("bytes", {.min = 0})),
                                file.get_string("sha256")};
    }
    return checkpoint;
  });
  if (manifest_text(checkpoint) != text) {
    throw FormatError(str(printable(path), ": damaged: its contents do not match its own SHA-256"));
  }
  return checkpoint;
}

void verify_files(const Checkpoint& checkpoint, bool sums) {
  for (const auto& [name, expected] : checkpoint.files) {
    const std::string path = checkpoint.directory + "/" + name;
    if (file_kind(path) != FileKind::file) {
      throw FormatError(str(printable(path), ": missing, though the manifest lists it"));
    }
    const File file = File::open_read(path);
    const std::uint64_t bytes = file.size();
    if (bytes != expected.bytes) {
      throw FormatError(
          str(printable(path), ": damaged: expected ", expected.bytes, " bytes, got ", bytes));
    }
    if (sums && sha256_of(file, bytes) != expected.sha256) {
      throw FormatError(str(printable(path), ": damaged: its SHA-256 is not the manifest's"));
    }
  }
}

}  // namespace crocuta
