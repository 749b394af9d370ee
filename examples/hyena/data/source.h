// Data files: read whole, in pieces, and watched for changes.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace crocuta::hyena {

// A data file as it was when it was read.
struct Source {
  std::string path;
  std::int64_t bytes = 0;
  std::int64_t modified = 0;  // nanoseconds since the epoch
  std::uint64_t device = 0, inode = 0;
  std::uint64_t hash = 0;  // fingerprint() of its bytes
};

// Calls `piece` with the file's bytes, at most 1 MiB at a time, in order. Files are read rather
// than mapped: one that shrinks meanwhile is an error here, where a mapping would raise SIGBUS.
// Throws IoError if the file is missing, no regular file (or a link to one), unreadable, or changes
// while it is read, and FormatError if it is empty.
Source read_source(const std::string& path, const std::function<void(std::string_view)>& piece);

// Throws IoError or FormatError, naming the file and what differs, if the contents of a file are no
// longer what they were. One that was touched, or replaced by its like, is read again to find out,
// and taken for what it is now.
void require_unchanged(std::vector<Source>& sources);

// A fingerprint of `bytes` (64-bit FNV-1a), continued from `hash`; it tells two data sets apart by
// content rather than by name.
std::uint64_t fingerprint(const std::uint8_t* bytes, std::size_t count,
                          std::uint64_t hash = 0xcbf29ce484222325u);

}  // namespace crocuta::hyena
