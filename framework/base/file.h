// Files, with every system call checked. Failures are IoErrors such as
// "runs/a/model.safetensors: cannot write: No space left on device".
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace crocuta {

// An open file.
class File {
 public:
  // Opens a regular file. A directory, FIFO, device or socket is an IoError and never blocks.
  static File open_read(const std::string& path);
  // Makes a new file; one that exists, even as a dangling link, is an IoError.
  static File create(const std::string& path);
  // Opens a regular file for writing at its end, making it if there is none. No link is followed.
  static File open_append(const std::string& path);
  File(File&& other) noexcept;
  File& operator=(File&&) = delete;
  ~File();

  std::uint64_t size() const;
  // Fills `data` from `offset` on; IoError if the file ends before.
  void read_at(std::uint64_t offset, void* data, std::size_t bytes) const;
  void write(const void* data, std::size_t bytes);
  void write(std::string_view text) { write(text.data(), text.size()); }
  // Cuts the file to `bytes` bytes.
  void truncate(std::uint64_t bytes);
  // Waits until the contents are on the disk.
  void sync();
  // Keeps other processes, and other openings of this one, from locking the file until it is
  // closed. False if it is locked already.
  bool try_lock();
  // Closes, reporting what the destructor would keep to itself.
  void close();

  const std::string& path() const { return path_; }
  int descriptor() const { return descriptor_; }

 private:
  File(int descriptor, std::string path) : descriptor_(descriptor), path_(std::move(path)) {}
  [[noreturn]] void fail_with(const char* what) const;

  int descriptor_;
  std::string path_;
};

// The contents of a regular file. Throws FormatError if it is larger than `limit` bytes.
std::string read_file(const std::string& path, std::size_t limit);
// The same of standard input, whatever that is, up to its end.
std::string read_standard_input(std::size_t limit);

// Writes `path` so that, whatever happens, it holds either what it held before or what `write`
// wrote: into a new file beside it, synced, renamed. Throws what `write` throws, the old file
// untouched.
void replace_file(const std::string& path, const std::function<void(File&)>& write);

// What `path` itself is; a symbolic link is not followed.
enum class FileKind { absent, file, directory, link, other };
FileKind file_kind(const std::string& path);

// The names in a directory, sorted, without "." and "..".
std::vector<std::string> list_directory(const std::string& path);

void make_directory(const std::string& path);
// False if there is something of that name already.
bool try_make_directory(const std::string& path);
// The same with all parents that are missing; nothing if there is something of that name.
void make_directories(const std::string& path);
void rename_file(const std::string& from, const std::string& to);
void remove_file(const std::string& path);
// Removes an empty directory.
void remove_directory(const std::string& path);
// Waits until the directory's entries are on the disk.
void sync_directory(const std::string& path);

// For tests: called before each call that changes a file system ("open", "write", "truncate",
// "fsync", "flock", "close", "mkdir", "rename", "unlink", "rmdir") with the path; a result other
// than 0 makes the call fail with that errno instead. An empty function switches it off. Set it
// while no other thread uses files.
using FileHook = std::function<int(const char* call, const std::string& path)>;
void set_file_hook(FileHook hook);

}  // namespace crocuta
