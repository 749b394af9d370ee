// The manifest of a checkpoint directory (internal).
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "framework/io/checkpoint.h"

namespace crocuta {

inline constexpr const char* kManifestName = "manifest.json";

// Letters, digits, '.', '_' and '-', not beginning with '.': a name that cannot lead elsewhere.
bool is_plain_name(std::string_view name);

// The bytes of manifest.json. They hold a sum over themselves, so that every change is noticed.
std::string manifest_text(const Checkpoint& checkpoint);

// Reads `directory`/manifest.json, and not the files it lists. Throws FormatError unless it is to
// the byte what manifest_text() wrote.
Checkpoint read_manifest(const std::string& directory);

// Throws FormatError naming the first file that is missing, no regular file, or of another size;
// with `sums`, also one whose SHA-256 differs.
void verify_files(const Checkpoint& checkpoint, bool sums);

}  // namespace crocuta
