#include "framework/base/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <system_error>
#include <utility>

#include "framework/base/error.h"

namespace crocuta {
namespace {

FileHook& hook() {
  static FileHook hook;
  return hook;
}

[[noreturn]] void fail_with(const std::string& path, const char* what, int code) {
  throw IoError(
      str(printable(path), ": cannot ", what, ": ", std::generic_category().message(code)));
}

// Runs a system call until it is not interrupted by a signal; -1 and errno on failure.
template <class Call>
auto checked(const char* name, const std::string& path, Call call) -> decltype(call()) {
  if (hook()) {
    if (const int code = hook()(name, path)) {
      errno = code;
      return -1;
    }
  }
  while (true) {
    const auto result = call();
    if (result != -1 || errno != EINTR) return result;
  }
}

int open_file(const std::string& path, int flags) {
  return checked("open", path, [&] { return ::open(path.c_str(), flags | O_CLOEXEC, 0666); });
}

const char* kind_name(mode_t mode) {
  if (S_ISDIR(mode)) return "a directory";
  if (S_ISFIFO(mode)) return "a FIFO";
  if (S_ISSOCK(mode)) return "a socket";
  return "a device";
}

void require_regular(int descriptor, const std::string& path) {
  struct stat info;
  if (::fstat(descriptor, &info) != 0) fail_with(path, "open", errno);
  if (!S_ISREG(info.st_mode)) {
    throw IoError(str(printable(path), ": expected a file, got ", kind_name(info.st_mode)));
  }
}

}  // namespace

File File::open_read(const std::string& path) {
  // O_NONBLOCK: opening a FIFO would wait for a writer. It means nothing to regular files.
  int descriptor;
  do {
    descriptor = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  } while (descriptor == -1 && errno == EINTR);
  if (descriptor == -1) crocuta::fail_with(path, "open", errno);
  File file(descriptor, path);
  require_regular(descriptor, path);
  return file;
}

File File::create(const std::string& path) {
  const int descriptor = open_file(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW);
  if (descriptor == -1) crocuta::fail_with(path, "create", errno);
  return {descriptor, path};
}

File File::open_append(const std::string& path) {
  const int flags = O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK;
  const int descriptor = open_file(path, flags);
  if (descriptor == -1) crocuta::fail_with(path, "open", errno);
  File file(descriptor, path);
  require_regular(descriptor, path);
  return file;
}

File::File(File&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), path_(std::move(other.path_)) {}

File::~File() {
  if (descriptor_ != -1) ::close(descriptor_);
}

void File::fail_with(const char* what) const {
  crocuta::fail_with(path_, what, errno);
}

std::uint64_t File::size() const {
  struct stat info;
  if (::fstat(descriptor_, &info) != 0) fail_with("read its size");
  return static_cast<std::uint64_t>(info.st_size);
}

void File::read_at(std::uint64_t offset, void* data, std::size_t bytes) const {
  auto* next = static_cast<char*>(data);
  while (bytes > 0) {
    const ssize_t got = ::pread(descriptor_, next, bytes, static_cast<off_t>(offset));
    if (got == -1 && errno == EINTR) continue;
    if (got == -1) fail_with("read");
    if (got == 0) {
      throw IoError(str(printable(path_), ": ended at byte ", offset,
                        " while being read; was it truncated meanwhile?"));
    }
    next += got;
    offset += static_cast<std::uint64_t>(got);
    bytes -= static_cast<std::size_t>(got);
  }
}

void File::write(const void* data, std::size_t bytes) {
  const auto* next = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t done = checked("write", path_, [&] { return ::write(descriptor_, next, bytes); });
    if (done == -1) fail_with("write");
    next += done;
    bytes -= static_cast<std::size_t>(done);
  }
}

void File::truncate(std::uint64_t bytes) {
  if (checked("truncate", path_,
              [&] { return ::ftruncate(descriptor_, static_cast<off_t>(bytes)); }) == -1) {
    fail_with("truncate");
  }
}

void File::sync() {
  if (checked("fsync", path_, [&] { return ::fsync(descriptor_); }) == -1) fail_with("sync");
}

bool File::try_lock() {
  if (checked("flock", path_, [&] { return ::flock(descriptor_, LOCK_EX | LOCK_NB); }) == 0) {
    return true;
  }
  if (errno != EWOULDBLOCK) fail_with("lock");
  return false;
}

void File::close() {
  // The descriptor is gone even if close fails, and must not be closed again after EINTR.
  const int descriptor = std::exchange(descriptor_, -1);
  const int injected = hook() ? hook()("close", path_) : 0;
  const int result = ::close(descriptor);
  if (injected != 0) crocuta::fail_with(path_, "close", injected);
  if (result == -1 && errno != EINTR) fail_with("close");
}

std::string read_file(const std::string& path, std::size_t limit) {
  const File file = File::open_read(path);
  const std::uint64_t bytes = file.size();
  if (bytes > limit) {
    throw FormatError(
        str(printable(path), ": expected at most ", limit, " bytes, got ", bytes, " bytes"));
  }
  std::string contents(static_cast<std::size_t>(bytes), '\0');
  file.read_at(0, contents.data(), contents.size());
  return contents;
}

std::string read_standard_input(std::size_t limit) {
  std::string contents;
  std::array<char, 1 << 16> chunk;
  while (true) {
    const ssize_t got = ::read(STDIN_FILENO, chunk.data(), chunk.size());
    if (got == -1 && errno == EINTR) continue;
    if (got == -1) fail_with("standard input", "read", errno);
    if (got == 0) return contents;
    contents.append(chunk.data(), static_cast<std::size_t>(got));
    if (contents.size() > limit) {
      throw FormatError(str("standard input: expected at most ", limit, " bytes, got more"));
    }
  }
}

void replace_file(const std::string& path, const std::function<void(File&)>& write) {
  const FileKind kind = file_kind(path);
  if (kind != FileKind::absent && kind != FileKind::file) {
    throw IoError(str(printable(path), ": expected a regular file to replace, got ",
                      kind == FileKind::directory ? "a directory"
                      : kind == FileKind::link    ? "a symbolic link"
                                                  : "something else"));
  }
  // A name of its own for every call, so that two writers of one path cannot mix.
  static std::atomic<unsigned> calls = 0;
  const std::string beside = str(path, ".", ::getpid(), ".", calls++, ".tmp");
  File file = File::create(beside);
  try {
    write(file);
    file.sync();
    file.close();
    rename_file(beside, path);
  } catch (...) {
    ::unlink(beside.c_str());
    throw;
  }
  const std::size_t slash = path.rfind('/');
  sync_directory(slash == std::string::npos ? "." : path.substr(0, slash + 1));
}

FileKind file_kind(const std::string& path) {
  struct stat info;
  if (::lstat(path.c_str(), &info) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) return FileKind::absent;
    fail_with(path, "look up", errno);
  }
  if (S_ISREG(info.st_mode)) return FileKind::file;
  if (S_ISDIR(info.st_mode)) return FileKind::directory;
  return S_ISLNK(info.st_mode) ? FileKind::link : FileKind::other;
}

std::vector<std::string> list_directory(const std::string& path) {
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(path.c_str()), &::closedir);
  if (!directory) fail_with(path, "list the directory", errno);
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = ::readdir(directory.get())) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
    errno = 0;
  }
  if (errno != 0) fail_with(path, "list the directory", errno);
  std::sort(names.begin(), names.end());
  return names;
}

bool try_make_directory(const std::string& path) {
  if (checked("mkdir", path, [&] { return ::mkdir(path.c_str(), 0777); }) == 0) return true;
  if (errno != EEXIST) fail_with(path, "make the directory", errno);
  return false;
}

void make_directory(const std::string& path) {
  if (!try_make_directory(path)) fail_with(path, "make the directory", EEXIST);
}

void make_directories(const std::string& path) {
  if (path.empty() || file_kind(path) != FileKind::absent) return;
  const std::size_t slash = path.find_last_not_of('/') == std::string::npos
                                ? std::string::npos
                                : path.rfind('/', path.find_last_not_of('/'));
  if (slash != std::string::npos) make_directories(path.substr(0, slash));
  try_make_directory(path);  // another program may have been faster
}

void rename_file(const std::string& from, const std::string& to) {
  if (checked("rename", from, [&] { return std::rename(from.c_str(), to.c_str()); }) == -1) {
    fail_with(from, str("rename to ", printable(to)).c_str(), errno);
  }
}

void remove_file(const std::string& path) {
  if (checked("unlink", path, [&] { return ::unlink(path.c_str()); }) == -1) {
    fail_with(path, "remove", errno);
  }
}

void remove_directory(const std::string& path) {
  if (checked("rmdir", path, [&] { return ::rmdir(path.c_str()); }) == -1) {
    fail_with(path, "remove the directory", errno);
  }
}

void sync_directory(const std::string& path) {
  const int descriptor = open_file(path, O_RDONLY | O_DIRECTORY);
  if (descriptor == -1) fail_with(path, "open the directory", errno);
  const int result = checked("fsync", path, [&] { return ::fsync(descriptor); });
  const int code = errno;
  ::close(descriptor);
  // Some file systems cannot sync a directory and say EINVAL; there is nothing more to do there.
  if (result == -1 && code != EINVAL) fail_with(path, "sync the directory", code);
}

void set_file_hook(FileHook new_hook) {
  hook() = std::move(new_hook);
}

}  // namespace crocuta
